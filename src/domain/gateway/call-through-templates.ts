import { BrokenAnswer } from "../../platform/egress/streamed-exchange.ts";
import { type DecodedContent, decodeContent } from "../../platform/formats/decode-content.ts";
import type { Context } from "../context.ts";
import { type ErrorCode, HubError, invalidInput } from "../errors.ts";
import type { DocumentFailure } from "../transformations/document-fault.ts";
import type { StoredTemplate } from "../transformations/schema.ts";
import { type ReadyTemplate, templatesOf } from "../transformations/template-cache.ts";
import { transformDocument } from "../transformations/transform-document.ts";
import { contentTypeOf } from "../transformations/write-target.ts";
import { type CallInput, callProvider, type ProviderAnswer } from "./call-provider.ts";
import { GatewayError } from "./gateway-error.ts";
import { ReplayableBody } from "./replayable-body.ts";
import type { CallBody } from "./request-out.ts";

/** Bytes of a body that goes through a template. */
const TRANSFORMED_BYTES_MAX = 10 * 1024 * 1024;

/** What describes the bytes of a body, and is wrong of others. */
const OF_THE_BYTES: ReadonlySet<string> = new Set([
  "content-type",
  "content-encoding",
  "content-length",
  "content-md5",
  "content-range",
  "digest",
  "content-digest",
  "repr-digest",
  "etag",
]);

/**
 * Calls a provider; the request's body goes through one template before, and the body of an answer with a 2xx through
 * another one afterwards, where the caller named them.
 *
 * @throws HubError as `callProvider`; 413 `body_too_large`; 415 `unsupported_media_type` or 400 `bad_request` for an
 * encoding that cannot be undone; 422 `invalid_input` for a template that there is not, and `transformation_failed` with
 * every fault of the request's body, which was not sent; 502 `answer_not_transformed` with those of the answer's; 503
 * `unavailable` while a template rests
 */
export async function callThroughTemplates(ctx: Context, input: CallInput): Promise<ProviderAnswer> {
  const { transformRequest, transformResponse } = input.options;
  if (transformRequest === undefined && transformResponse === undefined) return callProvider(ctx, input);
  const request = await templateOf(ctx, transformRequest, "Hub-Transform-Request");
  const response = await templateOf(ctx, transformResponse, "Hub-Transform-Response");
  const sent = request === undefined ? input : await withTransformedBody(ctx, input, request);
  if (response === undefined) return callProvider(ctx, sent);
  // An answer in an encoding that the hub cannot undo could not be read.
  const headers = { ...sent.headers, "accept-encoding": "gzip, deflate, br" };
  return transformedAnswer(ctx, response, await callProvider(ctx, { ...sent, headers }), input.method);
}

/**
 * The template that a header names.
 *
 * @throws HubError 422 `invalid_input`
 */
export async function templateOf(
  ctx: Context,
  wanted: StoredTemplate | undefined,
  header: string,
): Promise<ReadyTemplate | undefined> {
  if (wanted === undefined) return undefined;
  const template = await templatesOf(ctx.runtime).find(ctx.tenantId, wanted);
  if (template === null) throw invalidInput([{ path: header, message: "names no template or version" }]);
  return template;
}

/**
 * The request with its body as the template makes it.
 *
 * @throws HubError as `callThroughTemplates` does for the request's body
 */
export async function withTransformedBody<Request extends Pick<CallInput, "headers" | "body">>(
  ctx: Context,
  input: Request,
  template: ReadyTemplate,
): Promise<Request> {
  const body = await bytesOf(input.body);
  if (body === undefined || body.byteLength === 0) return input;
  const decoded = await decodeContent(body, input.headers["content-encoding"], TRANSFORMED_BYTES_MAX);
  if (!decoded.ok) throw new HubError(UNDECODED[decoded.code], `${decoded.message}.`);
  const { bytes } = decoded;
  const source = { bytes, charset: charsetOf(input.headers["content-type"]) };
  const outcome = await transformDocument(ctx.runtime, template, source);
  if (!outcome.ok) throw refused(outcome);
  const headers = Object.fromEntries(
    Object.entries(input.headers).filter(([name]) => !OF_THE_BYTES.has(name)),
  );
  headers["content-type"] = contentTypeOf(template.targetFormat, template.mappingRules.target);
  return { ...input, headers, body: outcome.bytes };
}

const UNDECODED = {
  body_encoding_unsupported: "unsupported_media_type",
  body_encoding_invalid: "bad_request",
  body_too_large_decoded: "body_too_large",
} as const satisfies Record<Exclude<DecodedContent, { ok: true }>["code"], ErrorCode>;

async function bytesOf(body: CallBody): Promise<Uint8Array | undefined> {
  if (!(body instanceof ReplayableBody)) return body;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (let piece = await body.read(); piece !== undefined; piece = await body.read()) {
    size += piece.byteLength;
    if (size > TRANSFORMED_BYTES_MAX)
      throw new HubError("body_too_large", `At most ${TRANSFORMED_BYTES_MAX} bytes go through a template.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

const CHARSET = /;\s*charset\s*=\s*"?([A-Za-z0-9._:-]+)"?/i;

function charsetOf(contentType: string | undefined): string | undefined {
  return CHARSET.exec(contentType ?? "")?.[1];
}

/** The request's body does not fit, or its template cannot be used now: nothing was sent. */
function refused({ code, message, retryable, retryAfterMs, faults }: DocumentFailure): HubError {
  if (retryable)
    return new HubError("unavailable", `${code}: ${message}`, {
      retryAfterSeconds: Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000)),
    });
  return new HubError("transformation_failed", `${code}: ${message}.`, { errors: fieldErrors(faults) });
}

function fieldErrors(faults: DocumentFailure["faults"]): { path: string; message: string }[] {
  return faults.map(({ code, message, source, target }) => ({
    path: source ?? target ?? "",
    message: `${code}: ${message}`,
  }));
}

async function transformedAnswer(
  ctx: Context,
  template: ReadyTemplate,
  answer: ProviderAnswer,
  method: string,
): Promise<ProviderAnswer> {
  const { status, info } = answer;
  if (status < 200 || status > 299 || status === 204 || status === 205 || method === "HEAD") return answer;
  const headerOf = (name: string): string | undefined =>
    answer.headers.find(([known]) => known === name)?.[1];
  const decoded = await wholeAnswer(answer, headerOf("content-encoding"));
  if (!decoded.ok) throw new GatewayError("answer_not_transformed", `${decoded.message}.`, info);
  const { bytes } = decoded;
  if (bytes.byteLength === 0) return { ...answer, body: bytes };
  const source = { bytes, charset: charsetOf(headerOf("content-type")) };
  const outcome = await transformDocument(ctx.runtime, template, source);
  if (!outcome.ok) {
    const { code, message, faults } = outcome;
    throw new GatewayError(
      "answer_not_transformed",
      `${code}: ${message}.`,
      info,
      undefined,
      fieldErrors(faults),
    );
  }
  const headers = answer.headers.filter(([name]) => !OF_THE_BYTES.has(name));
  headers.push(["content-type", contentTypeOf(template.targetFormat, template.mappingRules.target)]);
  return { status, headers, body: outcome.bytes, info };
}

/**
 * The whole of the body, decoded.
 *
 * @throws GatewayError 502 `upstream_failed` or 504 `upstream_timeout` when it breaks off
 */
async function wholeAnswer(
  { body, info }: ProviderAnswer,
  contentEncoding: string | undefined,
): Promise<{ ok: true; bytes: Uint8Array } | { ok: false; message: string }> {
  try {
    const bytes = body instanceof Uint8Array ? body : await collect(body);
    if (bytes === undefined)
      return { ok: false, message: `The answer has more than ${TRANSFORMED_BYTES_MAX} bytes` };
    return await decodeContent(bytes, contentEncoding, TRANSFORMED_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof BrokenAnswer)) throw error;
    const { kind, message } = error.failure;
    throw new GatewayError(kind === "timeout" ? "upstream_timeout" : "upstream_failed", `${message}.`, info);
  }
}

async function collect(pieces: AsyncIterableIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    size += piece.byteLength;
    if (size > TRANSFORMED_BYTES_MAX) return undefined;
    kept.push(piece);
  }
  return Buffer.concat(kept);
}
