import { isUtf8 } from "node:buffer";
import { timeOfId } from "../../platform/uuid.ts";
import type { PartnerRow } from "../edi/partner-store.ts";
import type { MessageInterchange, MessageSet } from "../edi/read-x12-message.ts";
import type { StoredTemplate, TransformTemplate } from "../transformations/schema.ts";
import { type ReadyTemplate, templatesOf } from "../transformations/template-cache.ts";
import { transformDocument, transformValue } from "../transformations/transform-document.ts";
import { contentTypeOf } from "../transformations/write-target.ts";
import { checkModel, notJson } from "./check-model.ts";
import type { CachedEndpoint } from "./endpoint-cache.ts";
import type { Work } from "./inbound-work.ts";
import { RouteFailure } from "./route-failure.ts";
import type { RouteDeps } from "./route-deps.ts";
import type { TransformedBody } from "./transform-body.ts";

/** A set that is longer as JSON text is mapped in a thread. */
const THREAD_CHARACTERS_MIN = 256 * 1024;

/** One set on its way to the target. */
export interface RoutedSet {
  partner: PartnerRow;
  interchange: MessageInterchange;
  set: MessageSet;
  /** The partner's own for this set; null: the endpoint's counts. */
  template: StoredTemplate | null;
}

/**
 * Makes of a set what its template says: the partner's for this set, else the endpoint's. Without one the target gets the
 * set's readable JSON.
 *
 * @throws RouteFailure; anything else when something that the hub itself needs is away
 */
export async function mapSet(
  deps: RouteDeps,
  work: Work,
  endpoint: CachedEndpoint,
  routed: RoutedSet,
): Promise<TransformedBody> {
  const template = routed.template ?? (endpoint.transformTemplate as TransformTemplate | null);
  const mapped = await apply(deps, work, routed, { template, key: endpoint.id });
  if (endpoint.handlerType === "CUSTOM") return mapped;
  if (!mapped.isJson || typeof mapped.payload !== "string") throw notJson(endpoint);
  checkModel(endpoint, JSON.parse(mapped.payload));
  return mapped;
}

async function apply(
  { runtime, transformations }: RouteDeps,
  work: Work,
  routed: RoutedSet,
  { template, key }: { template: TransformTemplate | null; key: string },
): Promise<TransformedBody> {
  const { input } = routed.set;
  const text = (): string => (typeof input === "string" ? input : JSON.stringify(input));
  if (template === null) return { payload: text(), contentType: "application/json", isJson: true };
  if ("expression" in template) {
    const outcome = await transformations.evaluate({ key, expression: template.expression, input: text() });
    if (!outcome.ok) throw new RouteFailure(outcome.code, outcome.message, outcome.retryable);
    return { payload: outcome.output, contentType: "application/json", isJson: true };
  }
  const ready = await templatesOf(runtime).find(work.facts.tenantId, template);
  if (ready === null) {
    const message = `There is no transformation "${template.template}" with version ${template.version ?? "latest"}`;
    throw new RouteFailure("transformation_not_found", message, false);
  }
  if (ready.sourceFormat !== "X12") {
    const message = `The transformation ${ready.code} reads ${ready.sourceFormat}, not X12`;
    throw new RouteFailure("transformation_unsuitable", message, false);
  }
  const context = { values: contextValues(work, routed) };
  const outcome = await (typeof input === "string" && input.length >= THREAD_CHARACTERS_MIN
    ? transformDocument(runtime, readingJson(ready), { bytes: Buffer.from(input) }, context)
    : transformValue(runtime, ready, typeof input === "string" ? JSON.parse(input) : input, context));
  if (!outcome.ok) throw new RouteFailure(outcome.code, outcome.message, outcome.retryable);
  const { bytes } = outcome;
  return {
    payload: isUtf8(bytes) ? Buffer.from(bytes).toString("utf8") : bytes,
    contentType: contentTypeOf(ready.targetFormat, ready.mappingRules.target),
    isJson: ready.targetFormat === "JSON",
  };
}

/** The same template for a set that is JSON text already. */
function readingJson(template: ReadyTemplate): ReadyTemplate {
  const { recipe } = template.pipeline;
  const { source: _source, ...mappingRules } = recipe.mappingRules;
  const key = recipe.key === undefined ? undefined : `${recipe.key} as JSON`;
  return {
    ...template,
    pipeline: {
      ...template.pipeline,
      recipe: { ...recipe, sourceFormat: "JSON", mappingRules, key },
    },
  };
}

/** `$context` of the mapping. */
function contextValues({ facts }: Work, { partner, interchange, set }: RoutedSet): Record<string, unknown> {
  return {
    receiptId: facts.id,
    eventId: facts.eventId,
    eventType: facts.eventType,
    receivedAt: new Date(timeOfId(facts.id)).toISOString(),
    partner: { id: partner.id, name: partner.name },
    interchange: { controlNumber: interchange.key.controlNumber, test: interchange.test },
    set: { code: set.code, controlNumber: set.controlNumber },
  };
}
