import type { CompiledSubscription } from "../subscriptions/compiled-subscription.ts";
import { compileSigner, type Signable, type Signer } from "./signature-forms.ts";

/** What signing needs of a subscription. */
export type SignedSubscription = Pick<CompiledSubscription, "secrets" | "signatureForm">;

/** Prepared once for each state of a subscription: its object is replaced when a secret changes. */
const signers = new WeakMap<SignedSubscription, Signer>();

/**
 * Signs one attempt. `webhook-id` and `webhook-timestamp` are sent under every form, because a receiver recognises
 * a repetition by the id.
 *
 * @returns headers, names in lower case
 * @throws RangeError when the subscription has no secret that can be read
 */
export function signDelivery(
  subscription: SignedSubscription,
  input: { id: string; timestampSeconds: number; body: Uint8Array | string },
): Record<string, string> {
  let signer = signers.get(subscription);
  if (signer === undefined) {
    signer = compileSigner(subscription.signatureForm, subscription.secrets);
    signers.set(subscription, signer);
  }
  const signable: Signable = {
    id: input.id,
    timestampSeconds: input.timestampSeconds,
    body: typeof input.body === "string" ? Buffer.from(input.body, "utf8") : input.body,
  };
  return {
    "webhook-id": input.id,
    "webhook-timestamp": String(input.timestampSeconds),
    ...signer(signable),
  };
}
