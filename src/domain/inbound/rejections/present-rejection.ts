import { createRedactor } from "../../api-logs/redact.ts";
import { REDACTED } from "../../api-logs/secret-names.ts";
import { decodeContent } from "../../../platform/formats/decode-content.ts";
import { presentBytes } from "../present-receipt.ts";
import { compileBodyBlanking } from "../schemes/blank-secrets.ts";
import { findScheme } from "../schemes/registry.ts";
import { ruleOf, type Scheme, type SchemeSettings } from "../schemes/scheme.ts";
import { secretNames } from "../secret-names.ts";
import { signatureFaces } from "./explain/signature-faces.ts";
import type { LoadedRejection } from "./load-rejection.ts";
import type { Rejection, RejectionDetail } from "./rejection-schema.ts";
import type { RejectionRow } from "./rejection-store.ts";

/** A row as lists show it. */
export function presentRejection({ createdAt, ...row }: RejectionRow): Rejection {
  return {
    ...row,
    // Set before the receipt while it is being put through.
    acceptedAt: row.acceptedReceiptId === null ? null : (row.acceptedAt?.toISOString() ?? null),
    receivedAt: createdAt.toISOString(),
  };
}

/** The request of a sample with every secret removed. */
type ShownRequest = Pick<RejectionDetail, "query" | "headers" | "body" | "bodyEncoding">;

/** A way of verifying: that of the time of receipt, or that of now. */
interface Verification {
  scheme: Scheme;
  settings: SchemeSettings;
}

/**
 * Shows the raw request: credentials are removed, of signatures the beginning and the length stay, and the body is
 * redacted like every logged one. Both the scheme of then and that of now say what is secret.
 *
 * @param bodyBytesMax LOG_BODY_MAX_BYTES
 */
export async function presentRawRequest(
  { row, raw, endpoint, secrets }: LoadedRejection,
  bodyBytesMax: number,
): Promise<ShownRequest> {
  const schemes = [
    ...(raw.scheme === null ? [] : verification(raw.scheme.name, raw.scheme.settings)),
    ...(endpoint === undefined ? [] : verification(endpoint.signatureScheme, endpoint)),
  ];
  const hidden = schemes.map(({ scheme, settings }) => secretNames(scheme, settings));
  const known = [...secrets.active, ...secrets.expired, ...secrets.others.map(({ secret }) => secret)];
  const redactor = createRedactor({
    secrets: [...new Set(known.flatMap((secret) => [secret, secret.trim()]))],
    names: hidden.flatMap(({ headers, query }) => [...headers, ...query]),
  });
  const { shown: signatures, plain } = signatureHeaders(schemes);
  const headers = Object.fromEntries(
    raw.headers.map(([name, value]) => {
      if (plain.has(name)) return [name, redactor.text(value)];
      if (signatures.has(name)) return [name, maskSignature(redactor.text(value))];
      const redacted = redactor.header(name, value);
      return [name, signatureFaces(redacted, []).length > 0 ? maskSignature(redacted) : redacted];
    }),
  );
  const query = raw.target.indexOf("?");
  const body = await shownBody(raw.body, row.bodyState, headersOf(raw.headers), schemes);
  const bytes =
    body === undefined ? null : redactor.body(body, headersOf(raw.headers).get("content-type"), bodyBytesMax);
  const presented = presentBytes(bytes);
  return {
    query: query < 0 ? null : redactor.url(raw.target).slice(redactor.url(raw.target).indexOf("?") + 1),
    headers,
    body: presented.text,
    bodyEncoding: presented.encoding,
  };
}

function headersOf(entries: readonly [string, string][]): Headers {
  return new Headers(entries as [string, string][]);
}

function verification(name: string, settings: SchemeSettings): Verification[] {
  const scheme = findScheme(name);
  return scheme === undefined ? [] : [{ scheme, settings }];
}

/** Headers of which a signature's beginning is shown, and those beside it that hold no secret. */
function signatureHeaders(schemes: readonly Verification[]): { shown: Set<string>; plain: Set<string> } {
  const shown = new Set<string>();
  const plain = new Set<string>();
  for (const { scheme, settings } of schemes) {
    const rule = ruleOf(scheme, settings);
    if (rule.kind !== "signature") continue;
    for (const { signature, timestamp, id } of rule.headers) {
      shown.add(signature);
      for (const name of [timestamp, id]) if (name !== undefined) plain.add(name);
    }
  }
  return { shown, plain };
}

/** A signature of at least SHA-1's length. */
const DIGEST_LENGTH_MIN = 27;
const SHOWN_LENGTH = 4;

/**
 * A signature header with what tells its form: versions, times and the beginning of each digest. A whole signature
 * would let its reader repeat the request; what is no digest may be a secret in the wrong place.
 */
function maskSignature(value: string): string {
  return value.replace(/[A-Za-z0-9+/_-]+={0,2}/g, (piece) => {
    if (piece.length <= SHOWN_LENGTH || /^(?:sha(?:1|256|512)|hmac|redacted)=?$/i.test(piece)) return piece;
    if (/^(?:\d{10}|\d{13})$/.test(piece)) return piece;
    return piece.length >= DIGEST_LENGTH_MIN
      ? `${piece.slice(0, SHOWN_LENGTH)}… (${piece.length} characters)`
      : REDACTED;
  });
}

/** Output at which the decoding of a compressed body stops. */
const DECODED_BYTES_MAX = 1024 * 1024;

/**
 * The body with the scheme's own secrets blanked; undefined when it is not there, or cannot be looked into: a secret in
 * compressed bytes would be shown with them.
 */
async function shownBody(
  base64: string | null,
  state: LoadedRejection["row"]["bodyState"],
  headers: Headers,
  schemes: readonly Verification[],
): Promise<Uint8Array | undefined> {
  if (base64 === null) return undefined;
  const blankings = schemes
    .map(({ scheme, settings }) => compileBodyBlanking(scheme, settings))
    .filter((blank) => blank !== undefined);
  // Half a document is none: the place of its secret cannot be found.
  if (state === "truncated" && blankings.length > 0) return undefined;
  const coding = headers.get("content-encoding") ?? undefined;
  const content = await decodeContent(Buffer.from(base64, "base64"), coding, DECODED_BYTES_MAX);
  if (!content.ok) return undefined;
  return blankings.reduce((bytes, blank) => blank(bytes), content.bytes);
}
