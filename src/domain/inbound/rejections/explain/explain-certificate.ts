import type { CertificateRule, SignatureCause } from "../../schemes/scheme.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import type { ExplainInput } from "./explain-input.ts";
import { otherEndpoint } from "./secret-variants.ts";

/**
 * Says why a message under a published certificate was not accepted.
 *
 * @param cause what the verifier found
 */
export function explainCertificate(
  rule: CertificateRule,
  { request, scheme, secrets }: ExplainInput,
  cause: SignatureCause,
): RejectionCause {
  const read = rule.read(request);
  if ("cause" in read)
    return { ...NO_MESSAGE, code: cause, action: `Compare the body with ${scheme.source}.` };
  if (secrets.active.includes(read.sender)) return CHANGED;
  const other = secrets.others.find(({ secret }) => secret === read.sender);
  return other === undefined ? OTHER_SENDER : otherEndpoint(other);
}

const NO_MESSAGE = {
  message:
    "The body is no message as the provider signs it: a field is missing or of another version, or the address of its certificate or confirmation is not one of the provider's own.",
};

const OTHER_SENDER: RejectionCause = {
  code: "other_sender",
  message: "The message names another sender (for Amazon SNS: topic) than the endpoint's secret does.",
  action: "Set `secretKey` to the name of the sender that is meant, or end the other subscription.",
};

const CHANGED: RejectionCause = {
  code: "unexplained",
  message:
    "The sender is the right one, but its signature is not right under the certificate: the message was changed on its way, or somebody else made it.",
  action: "Let every proxy between the provider and the hub pass the body's bytes unchanged.",
};
