import { type KeyObject, X509Certificate } from "node:crypto";
import type { Sender } from "../../../platform/egress/send.ts";

interface Certificate {
  /** Undefined: what stood there is no certificate with an RSA key. */
  key: KeyObject | undefined;
  validFromMs: number;
  validToMs: number;
  /** When it is fetched anew. */
  expiresAtMs: number;
}

/** A provider rotates its certificate under another address, so one that was fetched stays what it is. */
const TTL_MS = 24 * 3600 * 1000;
const FAILURE_TTL_MS = 30_000;
/** A few regions with one or two certificates each. */
const CERTIFICATES_MAX = 200;
const FETCH_TIMEOUT_MS = 3_000;
/** A sender that names one certificate after the other must not make the hub call without end. */
const FETCHES_MAX = 8;
/** Answers of a host that has no certificate at the address; others may pass. */
const NOT_THERE = new Set([403, 404, 410]);

/**
 * Certificates by address, for this thread. Verification reads them without waiting; whoever finds one missing fetches
 * it outside the verification and verifies again.
 */
const certificates = new Map<string, Certificate>();
const fetching = new Map<string, Promise<boolean>>();

/** The key of a certificate that was fetched; `unusable` when it is none, or not valid at this time. */
export function findSigningKey(url: string, nowMs: number): KeyObject | "unusable" | undefined {
  const found = certificates.get(url);
  if (found === undefined || found.expiresAtMs <= nowMs) return undefined;
  if (found.key === undefined || nowMs < found.validFromMs || nowMs > found.validToMs) return "unusable";
  return found.key;
}

/**
 * Fetches a certificate; several that ask at once share one request.
 *
 * @param url already found to be the provider's own
 * @returns false when it could not be fetched, or eight others are being fetched; asked again by the next request
 */
export function fetchSigningCertificate(
  sender: Pick<Sender, "send">,
  url: string,
  nowMs: number,
): Promise<boolean> {
  let running = fetching.get(url);
  if (running === undefined) {
    if (fetching.size >= FETCHES_MAX) return Promise.resolve(false);
    running = fetchOnce(sender, url, nowMs).finally(() => fetching.delete(url));
    fetching.set(url, running);
  }
  return running;
}

async function fetchOnce(sender: Pick<Sender, "send">, url: string, nowMs: number): Promise<boolean> {
  const result = await sender.send({
    key: new URL(url).host,
    url,
    policy: "public",
    method: "GET",
    headers: {},
    timeoutMs: FETCH_TIMEOUT_MS,
  });
  if (result.kind !== "response") return false;
  const isThere = result.status === 200;
  if (!isThere && !NOT_THERE.has(result.status)) return false;
  rememberCertificate(url, isThere ? new TextDecoder().decode(result.body) : "", nowMs);
  return true;
}

/** Keeps what stood at the address; a text that is no certificate is kept as unusable for 30 s. */
export function rememberCertificate(url: string, pem: string, nowMs: number): void {
  certificates.delete(url);
  if (certificates.size >= CERTIFICATES_MAX) forgetOne();
  certificates.set(url, parseCertificate(pem, nowMs));
}

/** The oldest address at which no certificate stood, so that made-up ones push no real one out; else the oldest. */
function forgetOne(): void {
  const [oldest] = certificates.keys();
  const [unusable] = [...certificates].find(([, { key }]) => key === undefined) ?? [oldest];
  if (unusable !== undefined) certificates.delete(unusable);
}

function parseCertificate(pem: string, nowMs: number): Certificate {
  try {
    const certificate = new X509Certificate(pem);
    if (certificate.publicKey.asymmetricKeyType !== "rsa") throw new TypeError("not an RSA key");
    return {
      key: certificate.publicKey,
      validFromMs: Date.parse(certificate.validFrom),
      validToMs: Date.parse(certificate.validTo),
      expiresAtMs: nowMs + TTL_MS,
    };
  } catch {
    return { key: undefined, validFromMs: 0, validToMs: 0, expiresAtMs: nowMs + FAILURE_TTL_MS };
  }
}
