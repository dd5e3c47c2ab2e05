import { FairSlots } from "../../platform/egress/fair-slots.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { timeOfId } from "../../platform/uuid.ts";
import { sendToService, type ServiceSender } from "../services/send-to-service.ts";
import type { JsonataPool } from "../transformations/jsonata-pool.ts";
import { resolveTemplate } from "../transformations/resolve-template.ts";
import type { TransformTemplate } from "../transformations/schema.ts";
import { decodeBody } from "./decode-body.ts";
import type { CachedEndpoint } from "./endpoint-cache.ts";
import type { Work } from "./inbound-work.ts";
import { loadLargeBody } from "./large-bodies.ts";
import { validateModel } from "./models/validate-model.ts";

/** What routing needs; made once in a process. */
export interface RouteDeps {
  runtime: Runtime;
  transformations: JsonataPool;
  sender: ServiceSender;
}

/** Why a message was not handed over. */
export class RouteFailure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryable: boolean,
  ) {
    super(message);
  }
}

/** Bytes after decoding of a compressed body: the largest body that any endpoint may take. */
const DECODED_BYTES_MAX = 25 * 1024 * 1024;

/** Least time that a target gets, also when the steps before it took most of the message's time. */
const TARGET_TIMEOUT_MIN_MS = 1_000;

/**
 * Messages with a large or a compressed body in work at once, two of them of one endpoint: each may be 25 MiB, so a full
 * queue of them would not fit into memory.
 */
const heavySlots = new FairSlots(8);

/**
 * Decodes, transforms, validates and hands over.
 *
 * @returns the transformed document as JSON text, where there is a transformation
 * @throws RouteFailure; anything else when something that the hub itself needs is away
 */
export async function routeMessage(
  deps: RouteDeps,
  work: Work,
  endpoint: CachedEndpoint,
): Promise<string | undefined> {
  if (work.body !== undefined && !isEncoded(work)) return routeBody(deps, work, work.body, endpoint);
  if (work.body === undefined && !needsBody(work, endpoint)) return undefined;
  await heavySlots.acquire(endpoint.id);
  try {
    const body = work.body ?? (await loadLargeBody(deps.runtime, work.facts.id));
    if (body === undefined) throw new RouteFailure("body_gone", "The body is not stored any more", false);
    return await routeBody(deps, work, body, endpoint);
  } finally {
    heavySlots.release(endpoint.id);
  }
}

function isEncoded({ facts }: Work): boolean {
  const encoding = facts.headers["content-encoding"];
  return encoding !== undefined && encoding.toLowerCase() !== "identity";
}

function isInspected(work: Work, endpoint: CachedEndpoint): boolean {
  return endpoint.transformTemplate !== null || endpoint.handlerType !== "CUSTOM" || isEncoded(work);
}

function needsBody(work: Work, endpoint: CachedEndpoint): boolean {
  return endpoint.targetService !== null || isInspected(work, endpoint);
}

async function routeBody(
  deps: RouteDeps,
  work: Work,
  body: Uint8Array,
  endpoint: CachedEndpoint,
): Promise<string | undefined> {
  const { facts } = work;
  const startedAtMs = performance.now();
  let payload: Uint8Array | string = body;
  let contentType = work.contentType ?? "application/octet-stream";
  let output: string | undefined;
  if (isInspected(work, endpoint)) {
    const decoded = await decodeBody({
      bytes: body,
      contentEncoding: facts.headers["content-encoding"],
      contentType: work.contentType,
      maxBytes: DECODED_BYTES_MAX,
    });
    if (!decoded.ok) throw new RouteFailure(decoded.code, decoded.message, false);
    if (isEncoded(work)) payload = plainBytes(decoded);
    if (endpoint.transformTemplate !== null) {
      output = await transform(deps, endpoint, decoded);
      payload = output;
      contentType = "application/json";
    }
    if (endpoint.handlerType !== "CUSTOM") checkModel(endpoint, output, decoded);
  }
  if (endpoint.targetService === null) return output;
  const timeoutMs = deps.runtime.config.webhookTimeoutSeconds * 1000 - (performance.now() - startedAtMs);
  const sent = await sendToService(deps.sender, {
    serviceName: endpoint.targetService,
    timeoutMs: Math.max(TARGET_TIMEOUT_MIN_MS, Math.round(timeoutMs)),
    message: {
      id: facts.id,
      tenantId: facts.tenantId,
      endpointId: facts.endpointId,
      type: facts.eventType ?? "",
      handler: endpoint.handlerType,
      occurredAt: new Date(timeOfId(facts.id)).toISOString(),
      traceparent: facts.headers["traceparent"] ?? "",
      contentType,
      body: payload,
    },
  });
  if (!sent.ok) throw new RouteFailure(sent.code, sent.message, sent.retryable);
  return output;
}

type Decoded = Extract<Awaited<ReturnType<typeof decodeBody>>, { ok: true }>;

function plainBytes(decoded: Decoded): Uint8Array | string {
  if (decoded.kind === "binary") return decoded.bytes;
  return decoded.kind === "empty" ? "" : decoded.text;
}

async function transform(deps: RouteDeps, endpoint: CachedEndpoint, decoded: Decoded): Promise<string> {
  if (decoded.kind === "binary")
    throw new RouteFailure("body_not_text", "A binary body cannot be transformed", false);
  const template = resolveTemplate(endpoint.transformTemplate as TransformTemplate);
  if (!template.ok) throw new RouteFailure(template.code, template.message, false);
  const input =
    decoded.kind === "empty" ? "null" : decoded.kind === "text" ? JSON.stringify(decoded.text) : decoded.text;
  const outcome = await deps.transformations.evaluate({
    key: endpoint.id,
    expression: template.expression,
    input,
  });
  if (!outcome.ok) throw new RouteFailure(outcome.code, outcome.message, outcome.retryable);
  return outcome.output;
}

function checkModel(endpoint: CachedEndpoint, output: string | undefined, decoded: Decoded): void {
  if (output === undefined && decoded.kind !== "json" && decoded.kind !== "form") {
    throw new RouteFailure(
      "body_not_json",
      `The handler ${endpoint.handlerType} needs JSON, and no transformation makes it`,
      false,
    );
  }
  const value =
    output === undefined ? (decoded as { value: unknown }).value : (JSON.parse(output) as unknown);
  const check = validateModel(endpoint.handlerType, value);
  if (!check.ok) {
    throw new RouteFailure(
      "model_invalid",
      check.errors.map(({ path, message }) => `${path}: ${message}`).join("; "),
      false,
    );
  }
}
