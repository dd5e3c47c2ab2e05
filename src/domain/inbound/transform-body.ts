import { isUtf8 } from "node:buffer";
import type { Runtime } from "../../platform/runtime.ts";
import { timeOfId } from "../../platform/uuid.ts";
import type { JsonataPool } from "../transformations/jsonata-pool.ts";
import type { StoredTemplate, TransformTemplate } from "../transformations/schema.ts";
import { templatesOf } from "../transformations/template-cache.ts";
import { transformDocument } from "../transformations/transform-document.ts";
import type { DocumentFormat } from "../transformations/transformation-schema.ts";
import { contentTypeOf } from "../transformations/write-target.ts";
import { decodeBody } from "./decode-body.ts";
import { decodeContent } from "../../platform/formats/decode-content.ts";
import type { Work } from "./inbound-work.ts";
import { RouteFailure } from "./route-failure.ts";

/** Bytes after decoding of a compressed body: the largest body that any endpoint may take. */
export const DECODED_BYTES_MAX = 25 * 1024 * 1024;

/** What a template made: text where it is UTF-8. */
export interface TransformedBody {
  payload: string | Uint8Array;
  contentType: string;
  isJson: boolean;
}

/** A template and who takes turns by it. */
interface Wanted {
  /** Endpoint id. */
  key: string;
  template: TransformTemplate;
}

/**
 * Makes of a received body what a template says.
 *
 * @param body as received
 * @throws RouteFailure with the code of the fault; anything else when something that the hub itself needs is away
 */
export async function transformBody(
  deps: { runtime: Runtime; transformations: JsonataPool },
  work: Work,
  body: Uint8Array,
  wanted: Wanted,
): Promise<TransformedBody> {
  const { key, template } = wanted;
  return "expression" in template
    ? evaluate(deps, work, body, { key, expression: template.expression })
    : applyTemplate(deps.runtime, work, body, template);
}

async function evaluate(
  { transformations }: { transformations: JsonataPool },
  work: Work,
  body: Uint8Array,
  { key, expression }: { key: string; expression: string },
): Promise<TransformedBody> {
  const decoded = await readBody(carrierOf(work), body);
  if (decoded.kind === "binary")
    throw new RouteFailure("body_not_text", "A binary body cannot be transformed", false);
  const input =
    decoded.kind === "empty" ? "null" : decoded.kind === "text" ? JSON.stringify(decoded.text) : decoded.text;
  const outcome = await transformations.evaluate({ key, expression, input });
  if (!outcome.ok) throw new RouteFailure(outcome.code, outcome.message, outcome.retryable);
  return { payload: outcome.output, contentType: "application/json", isJson: true };
}

async function applyTemplate(
  runtime: Runtime,
  work: Work,
  body: Uint8Array,
  wanted: StoredTemplate,
): Promise<TransformedBody> {
  const { facts } = work;
  const template = await templatesOf(runtime).find(facts.tenantId, wanted);
  if (template === null) {
    const message = `There is no transformation "${wanted.template}" with version ${wanted.version ?? "latest"}`;
    throw new RouteFailure("transformation_not_found", message, false);
  }
  const source = await readSourceBody(template.sourceFormat, carrierOf(work), body);
  const context = { values: receiptContext(facts) };
  const outcome = await transformDocument(runtime, template, source, context);
  if (!outcome.ok) throw new RouteFailure(outcome.code, outcome.message, outcome.retryable);
  const { bytes } = outcome;
  return {
    payload: isUtf8(bytes) ? Buffer.from(bytes).toString("utf8") : bytes,
    contentType: contentTypeOf(template.targetFormat, template.mappingRules.target),
    isJson: template.targetFormat === "JSON",
  };
}

/** `$context` of a mapping that an endpoint names. */
export function receiptContext(facts: {
  id: string;
  eventId: string | null;
  eventType: string | null;
}): Record<string, unknown> {
  const { id, eventId, eventType } = facts;
  return { receiptId: id, eventId, eventType, receivedAt: new Date(timeOfId(id)).toISOString() };
}

/** What the headers say of a body. */
export interface BodyCarrier {
  contentType: string | undefined;
  contentEncoding: string | undefined;
}

function carrierOf({ contentType, facts }: Work): BodyCarrier {
  return { contentType, contentEncoding: facts.headers["content-encoding"] };
}

const CHARSET = /;\s*charset\s*=\s*"?([A-Za-z0-9._:-]+)"?/i;
const FORM = /^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i;

/**
 * The bytes of a body that a template reads. A form is the JSON of its fields, and JSON of another charset becomes UTF-8.
 *
 * @throws RouteFailure
 */
export async function readSourceBody(
  sourceFormat: DocumentFormat,
  carrier: BodyCarrier,
  body: Uint8Array,
): Promise<{ bytes: Uint8Array; charset: string | undefined }> {
  const { contentType = "", contentEncoding } = carrier;
  const charset = CHARSET.exec(contentType)?.[1]?.toLowerCase();
  const isOdd = charset !== undefined && charset !== "utf-8" && charset !== "utf8";
  if (sourceFormat === "JSON" && (isOdd || FORM.test(contentType))) {
    const decoded = await readBody(carrier, body);
    if (decoded.kind === "json" || decoded.kind === "form")
      return { bytes: Buffer.from(decoded.text, "utf8"), charset: undefined };
  }
  const content = await decodeContent(body, contentEncoding, DECODED_BYTES_MAX);
  if (!content.ok) throw new RouteFailure(content.code, content.message, false);
  return { bytes: content.bytes, charset };
}

async function readBody(carrier: BodyCarrier, body: Uint8Array) {
  const decoded = await decodeBody({ ...carrier, bytes: body, maxBytes: DECODED_BYTES_MAX });
  if (!decoded.ok) throw new RouteFailure(decoded.code, decoded.message, false);
  return decoded;
}
