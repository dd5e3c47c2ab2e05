import type { BodySource } from "../../platform/egress/streamed-exchange.ts";
import { isDocumentObject } from "../../platform/formats/document.ts";
import { parseJsonDocument } from "../../platform/formats/json/parse-json-document.ts";
import { FORMAT_LIMITS } from "../../platform/formats/limits.ts";
import { HubError } from "../errors.ts";
import type { ProviderManifest } from "../providers/manifest-schema.ts";
import { formText, withQuery } from "../providers/request-template.ts";
import type { CallOptions } from "./call-options.ts";
import { ReplayableBody } from "./replayable-body.ts";
import type { Proof } from "./upstream.ts";

/** The body that a caller sends: in memory, or as it comes. */
export type CallBody = Uint8Array | ReplayableBody | undefined;

/** A request as it goes out to the provider. */
export interface RequestOut {
  url: string;
  headers: Record<string, string>;
  body: Uint8Array | BodySource | undefined;
}

/** Largest body into which a credential is written. */
const CREDENTIAL_BODY_BYTES_MAX = 1024 * 1024;

/**
 * Adds to a caller's request what the provider asks of every call, and the credential last, so that nothing of the
 * caller can stand in for it.
 *
 * @param input.url from `buildUrl`
 * @param input.headers from `passedRequestHeaders`
 * @throws HubError 413 or 415 when the credential belongs into a body that cannot take it
 */
export async function requestOut(
  manifest: ProviderManifest,
  proof: Proof,
  input: { url: string; method: string; headers: Readonly<Record<string, string>>; body: CallBody },
  options: Pick<CallOptions, "idempotencyKey">,
): Promise<RequestOut> {
  const headers: Record<string, string> = { ...input.headers };
  const set = (entries: Readonly<Record<string, string>>): void => {
    for (const [name, value] of Object.entries(entries)) headers[name.toLowerCase()] = value;
  };
  let url = withMissing(input.url, proof.defaults.query);
  for (const [name, value] of Object.entries(proof.defaults.headers)) headers[name.toLowerCase()] ??= value;
  const key = options.idempotencyKey;
  if (key !== undefined) {
    const { idempotency } = manifest;
    const isKnown = idempotency?.methods.some((method) => method === input.method) === true;
    if (!isKnown) set({ "idempotency-key": key });
    else if (idempotency.in === "header") set({ [idempotency.name]: cutKey(key, idempotency.lengthMax) });
    else url = withQuery(url, { [idempotency.name]: cutKey(key, idempotency.lengthMax) });
  }
  let { body } = input;
  if (Object.keys(proof.additions.body).length > 0) {
    const written = await withCredential(body, headers["content-type"], proof.additions.body);
    body = written.body;
    set({ "content-type": written.contentType });
  }
  set(proof.additions.headers);
  return { url: withQuery(url, proof.additions.query), headers, body };
}

/** Parameters that the caller does not name himself. */
function withMissing(url: string, query: Readonly<Record<string, string>>): string {
  const names = Object.keys(query);
  if (names.length === 0) return url;
  const given = new URL(url).searchParams;
  return withQuery(url, Object.fromEntries(Object.entries(query).filter(([name]) => !given.has(name))));
}

/** A longer key becomes a shorter one that is as much its own. */
function cutKey(key: string, lengthMax = Number.POSITIVE_INFINITY): string {
  if (key.length <= lengthMax) return key;
  return new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, lengthMax);
}

async function withCredential(
  body: CallBody,
  contentType: string | undefined,
  added: Readonly<Record<string, string>>,
): Promise<{ body: Uint8Array; contentType: string }> {
  const bytes = body instanceof ReplayableBody ? await readAll(body) : (body ?? new Uint8Array(0));
  const type = (contentType ?? "application/json").split(";", 1)[0]!.trim().toLowerCase();
  if (type === "application/x-www-form-urlencoded") {
    const kept = [...new URLSearchParams(Buffer.from(bytes).toString())].filter(
      ([name]) => !Object.hasOwn(added, name),
    );
    const text = [new URLSearchParams(kept).toString(), formText(added)].filter(Boolean).join("&");
    return { body: Buffer.from(text), contentType: type };
  }
  const document = parseObject(bytes);
  if (document === undefined || !/^application\/(?:json|[\w.+-]+\+json)$/.test(type))
    throw new HubError(
      "unsupported_media_type",
      "This provider takes its credential in the body: a JSON object or a form is needed.",
    );
  return { body: Buffer.from(JSON.stringify({ ...document, ...added })), contentType: type };
}

async function readAll(body: ReplayableBody): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  body.rewind();
  for (let piece = await body.read(); piece !== undefined; piece = await body.read()) {
    size += piece.byteLength;
    if (size > CREDENTIAL_BODY_BYTES_MAX)
      throw new HubError("body_too_large", `At most ${CREDENTIAL_BODY_BYTES_MAX} bytes with this provider.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The body as an object whose numbers are written again as they came: 12345678901234567890 is no double. */
function parseObject(bytes: Uint8Array): object | undefined {
  if (bytes.byteLength === 0) return {};
  const parsed = parseJsonDocument(bytes, { ...FORMAT_LIMITS, bytesMax: CREDENTIAL_BODY_BYTES_MAX });
  return parsed.ok && isDocumentObject(parsed.document) ? parsed.document : undefined;
}
