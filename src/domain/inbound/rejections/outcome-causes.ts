import type { RefusalOutcome } from "../accept-webhook.ts";
import type { RejectionCause } from "./rejection-cause.ts";

/** Outcomes that say all there is; a signature is explained by what is wrong with it. */
const CAUSES: Readonly<
  Record<Exclude<RefusalOutcome, "signature">, readonly [message: string, action: string]>
> = {
  provider_away: [
    "The provider's certificate could not be fetched, or its address not called, in time.",
    "Let the hub reach the provider (EGRESS settings, firewall); the provider comes back.",
  ],
  unknown_endpoint: [
    "No endpoint of this tenant has the path in the address.",
    "Give the sender the endpoint's `url` exactly as it is shown, or create an endpoint with this path.",
  ],
  malformed: ["The request is malformed.", "Compare it with what the provider documents."],
  method: [
    "The endpoint takes POST; this method is answered only where the provider challenges so.",
    "Have the sender use POST. A browser that opens the address ends here too.",
  ],
  disabled: ["The endpoint was DISABLED.", "Set its `status` to ACTIVE; the sender then has to send again."],
  too_large: [
    "The body is longer than the endpoint takes.",
    "Raise `maxBodyBytes` (at most 25 MiB), or have the sender send less at a time.",
  ],
  incomplete: [
    "The sender closed the connection, or a proxy cut it, before the body was complete.",
    "Look for a timeout or a size limit between the sender and the hub.",
  ],
  encoding: [
    "The Content-Encoding is none of gzip, deflate, br and identity.",
    "Have the sender send one of these, or no Content-Encoding.",
  ],
  source: [
    "The sender's address is not on the endpoint's `ipWhitelist`.",
    "Add the address, or, when it is a proxy's, name the proxy in TRUSTED_PROXIES.",
  ],
  header_doubled: [
    "A header that may stand once stands twice.",
    "Find the proxy that adds it once more, and let it replace the header or leave it alone.",
  ],
  rate_limited: [
    "The endpoint got more requests than its `rateLimit` allows.",
    "Raise the limit, or nothing: senders come back after Retry-After.",
  ],
  partition_full: [
    "The endpoint's partition held as many waiting webhooks as STREAM_CAPACITY allows.",
    "See why they are not processed (workers, target service); raise STREAM_CAPACITY when there is memory.",
  ],
  tenant_full: [
    "The tenant had its whole share of the capacity waiting.",
    "See why its webhooks are not processed, or raise TENANT_CAPACITY_SHARE.",
  ],
  memory_full: [
    "Redis had no memory left for more webhooks.",
    "See why webhooks are not processed, or give Redis more memory.",
  ],
  redis_away: [
    "Redis did not answer in time, so nothing could be promised.",
    "See the health page; the sender's retry is recognised should the event be there already.",
  ],
  postgres_away: [
    "Postgres did not answer in time, so the endpoint or a large body could not be handled.",
    "See the health page; the sender comes back.",
  ],
  busy: [
    "This process had as many requests or bytes in hand as it may.",
    "Add edge processes (EDGE_PROCESSES), or nothing: the sender comes back.",
  ],
};

/** What an outcome means, for people; undefined for a signature. */
export function outcomeCause(outcome: string | null): RejectionCause | undefined {
  if (outcome === null || !Object.hasOwn(CAUSES, outcome)) return undefined;
  const [message, action] = CAUSES[outcome as keyof typeof CAUSES];
  return { code: outcome, message, action };
}
