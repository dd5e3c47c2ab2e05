import type { Sender } from "../../platform/egress/send.ts";

const TIMEOUT_MS = 5_000;

/**
 * Calls the address with which a provider wants a subscription confirmed.
 *
 * @param url found by the scheme to be the provider's own
 * @returns false when the provider could not be reached or did not agree
 */
export async function confirmSubscription(sender: Pick<Sender, "send">, url: string): Promise<boolean> {
  const result = await sender.send({
    key: new URL(url).host,
    url,
    policy: "public",
    method: "GET",
    headers: {},
    timeoutMs: TIMEOUT_MS,
  });
  return result.kind === "response" && result.status === 200;
}
