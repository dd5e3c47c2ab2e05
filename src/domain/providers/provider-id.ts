import { createHash } from "node:crypto";

/**
 * The id of a built-in provider: the same in every deployment, so that it needs no look-up and two processes that store
 * it at once mean the same row. A UUID of version 8 (RFC 9562 section 5.8) made of the code, with the time 0 where the
 * ids of other rows have theirs: a list shows the tenant's own providers before it.
 */
export function builtInProviderId(code: string): string {
  const hash = createHash("sha256").update(`integration-hub provider v1:${code}`).digest();
  hash.fill(0, 0, 6);
  hash[6] = (hash[6]! & 0x0f) | 0x80;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}
