import type { LoadEndpoint } from "./load-endpoint.ts";

/** Header lines of one signed request, each ended by CRLF. */
type Signer = (eventId: string, body: string | Uint8Array, nowMs: number) => string;

/** Header that the `hmac` scheme reads unless the endpoint names another. */
export const HMAC_HEADER_DEFAULT = "X-Signature";

/**
 * Prepares the signing of an endpoint's requests as its sender does it.
 *
 * - github: HMAC-SHA-256 of the body (docs.github.com, "Validating webhook deliveries"); the id stands in a header;
 * - stripe: `t=…,v1=…` over `<t>.<body>` (docs.stripe.com/webhooks/signature);
 * - standard-webhooks: `v1,<base64>` over `<id>.<t>.<body>` (standardwebhooks.com, "Signature scheme");
 * - hmac: HMAC-SHA-256 of the body in hex, the hub's default.
 *
 * @returns a function from event id, body and time in ms to the header lines
 * @throws RangeError when the secret has not the form that the scheme wants
 */
export function signerOf(endpoint: LoadEndpoint): Signer {
  const { scheme, secret } = endpoint;
  const hmac = (key: string | Uint8Array) => new Bun.CryptoHasher("sha256", key);
  if (scheme === "github") {
    const base = hmac(secret);
    return (eventId, body) =>
      `X-GitHub-Event: push\r\nX-GitHub-Delivery: ${eventId}\r\n` +
      `X-Hub-Signature-256: sha256=${base.copy().update(body).digest("hex")}\r\n`;
  }
  if (scheme === "stripe") {
    const base = hmac(secret);
    return (_eventId, body, nowMs) => {
      const seconds = Math.floor(nowMs / 1000);
      const signature = base.copy().update(`${seconds}.`).update(body).digest("hex");
      return `Stripe-Signature: t=${seconds},v1=${signature}\r\n`;
    };
  }
  if (scheme === "standard-webhooks") {
    const base = hmac(standardWebhooksKey(secret));
    return (eventId, body, nowMs) => {
      const seconds = Math.floor(nowMs / 1000);
      const signature = base.copy().update(`${eventId}.${seconds}.`).update(body).digest("base64");
      return `webhook-id: ${eventId}\r\nwebhook-timestamp: ${seconds}\r\nwebhook-signature: v1,${signature}\r\n`;
    };
  }
  const base = hmac(secret);
  const header = endpoint.signatureHeader ?? HMAC_HEADER_DEFAULT;
  return (_eventId, body) => `${header}: ${base.copy().update(body).digest("hex")}\r\n`;
}

function standardWebhooksKey(secret: string): Uint8Array {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  if (key.byteLength > 0) return key;
  throw new RangeError("Cannot sign: the secret of standard-webhooks is whsec_ and base64");
}

/** Incompressible text to fill bodies with; hex digits need no escaping in JSON. */
const FILLER = Array.from({ length: 4096 }, () => crypto.randomUUID().replaceAll("-", "")).join("");

/**
 * Body of one event: an update of a load's status, padded with noise to the size asked for.
 *
 * @param bodyBytes exact size; 256 at least
 */
export function loadStatusBody(eventId: string, sequence: number, nowMs: number, bodyBytes: number): string {
  const head =
    `{"id":"${eventId}","object":"event","type":"load.status","occurredAt":"${new Date(nowMs).toISOString()}",` +
    `"load":{"id":"L-${sequence}","status":"IN_TRANSIT"},"notes":"`;
  const noise = Math.max(0, bodyBytes - head.length - 2);
  return `${head}${noiseOf(sequence, noise)}"}`;
}

function noiseOf(sequence: number, length: number): string {
  const from = (sequence * 61) % (FILLER.length >> 1);
  if (length <= FILLER.length - from) return FILLER.slice(from, from + length);
  return FILLER.repeat(Math.ceil(length / FILLER.length)).slice(0, length);
}

/**
 * Prepares whole HTTP/1.1 requests to one endpoint, as text that is pure ASCII.
 *
 * @param host value of the Host header
 */
export function requestWriterOf(
  endpoint: LoadEndpoint,
  host: string,
): (eventId: string, body: string, nowMs: number) => string {
  const sign = signerOf(endpoint);
  const head =
    `POST ${endpoint.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: hub-bench\r\n` +
    "Content-Type: application/json\r\n";
  return (eventId, body, nowMs) =>
    `${head}${sign(eventId, body, nowMs)}Content-Length: ${body.length}\r\n\r\n${body}`;
}
