import { FairSlots } from "../../platform/egress/fair-slots.ts";
import type { TransformTemplate } from "../transformations/schema.ts";
import { checkModel, notJson } from "./check-model.ts";
import { decodeBody } from "./decode-body.ts";
import { decodeContent } from "../../platform/formats/decode-content.ts";
import { beginsWithIsa, isX12Type } from "./detect-x12.ts";
import type { CachedEndpoint } from "./endpoint-cache.ts";
import { handOver } from "./hand-over.ts";
import type { Work } from "./inbound-work.ts";
import { loadLargeBody } from "./large-bodies.ts";
import type { RouteDeps } from "./route-deps.ts";
import { routeEdi } from "./route-edi.ts";
import { RouteFailure } from "./route-failure.ts";
import { DECODED_BYTES_MAX, transformBody, type TransformedBody } from "./transform-body.ts";

/**
 * Messages with a large or a compressed body in work at once, two of them of one endpoint: each may be 25 MiB, so a full
 * queue of them would not fit into memory.
 */
const heavySlots = new FairSlots(8);

/**
 * Decodes, transforms, validates and hands over.
 *
 * @returns the transformed document, as text where it is UTF-8, where there is a transformation
 * @throws RouteFailure; anything else when something that the hub itself needs is away
 */
export async function routeMessage(
  deps: RouteDeps,
  work: Work,
  endpoint: CachedEndpoint,
): Promise<string | Uint8Array | undefined> {
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
  const encoding = facts.headers["content-encoding"]?.toLowerCase() ?? "";
  return encoding !== "" && encoding !== "identity";
}

function isInspected(work: Work, endpoint: CachedEndpoint): boolean {
  return endpoint.handlerType !== "CUSTOM" || isEncoded(work);
}

function needsBody(work: Work, endpoint: CachedEndpoint): boolean {
  return (
    endpoint.targetService !== null ||
    endpoint.transformTemplate !== null ||
    isX12Type(work.contentType) ||
    isInspected(work, endpoint)
  );
}

async function routeBody(
  deps: RouteDeps,
  work: Work,
  body: Uint8Array,
  endpoint: CachedEndpoint,
): Promise<string | Uint8Array | undefined> {
  const { facts } = work;
  const startedAtMs = performance.now();
  if (isX12Type(work.contentType) || beginsWithIsa(body)) {
    const content = await decodeContent(body, facts.headers["content-encoding"], DECODED_BYTES_MAX);
    if (!content.ok) throw new RouteFailure(content.code, content.message, false);
    const routed = await routeEdi(deps, work, endpoint, content.bytes);
    if (routed !== null) return routed;
  }
  let payload: Uint8Array | string = body;
  let contentType = work.contentType ?? "application/octet-stream";
  let transformed: TransformedBody | undefined;
  if (endpoint.transformTemplate !== null) {
    transformed = await transformBody(deps, work, body, {
      key: endpoint.id,
      template: endpoint.transformTemplate as TransformTemplate,
    });
    ({ payload, contentType } = transformed);
    if (endpoint.handlerType !== "CUSTOM") checkModel(endpoint, documentOf(endpoint, transformed));
  } else if (isInspected(work, endpoint)) {
    const decoded = await decodeBody({
      bytes: body,
      contentEncoding: facts.headers["content-encoding"],
      contentType: work.contentType,
      maxBytes: DECODED_BYTES_MAX,
    });
    if (!decoded.ok) throw new RouteFailure(decoded.code, decoded.message, false);
    if (isEncoded(work)) payload = plainBytes(decoded);
    if (endpoint.handlerType !== "CUSTOM") {
      if (decoded.kind !== "json" && decoded.kind !== "form") throw notJson(endpoint);
      checkModel(endpoint, decoded.value);
    }
  }
  const output = transformed?.payload;
  const timeoutMs = deps.runtime.config.webhookTimeoutSeconds * 1000 - (performance.now() - startedAtMs);
  await handOver(deps.sender, work, endpoint, {
    id: facts.id,
    type: facts.eventType ?? "",
    contentType,
    body: payload,
    timeoutMs,
  });
  return output;
}

type Decoded = Extract<Awaited<ReturnType<typeof decodeBody>>, { ok: true }>;

function plainBytes(decoded: Decoded): Uint8Array | string {
  if (decoded.kind === "binary") return decoded.bytes;
  return decoded.kind === "empty" ? "" : decoded.text;
}

function documentOf(endpoint: CachedEndpoint, { payload, isJson }: TransformedBody): unknown {
  if (!isJson || typeof payload !== "string") throw notJson(endpoint);
  return JSON.parse(payload);
}
