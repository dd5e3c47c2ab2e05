import { ruleOf, type SignatureCause } from "../../schemes/scheme.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import { explainCertificate } from "./explain-certificate.ts";
import { explainComposed } from "./explain-composed.ts";
import { explainJwt } from "./explain-jwt.ts";
import { explainSignature } from "./explain-signature.ts";
import { explainToken } from "./explain-token.ts";
import type { ExplainInput } from "./explain-input.ts";

/**
 * Says for the operator why a request's proof was not accepted, and what to do. Computed when somebody looks, never
 * while accepting.
 *
 * @param cause what the verifier found
 * @returns at least one cause; none repeats a secret
 */
export async function explainRefusal(input: ExplainInput, cause: SignatureCause): Promise<RejectionCause[]> {
  const rule = ruleOf(input.scheme, input.settings);
  switch (rule.kind) {
    case "signature":
      return explainSignature(rule, input);
    case "token":
    case "basic":
      return explainToken(rule, input);
    case "composed":
      return explainComposed(rule, input, cause);
    case "jwt":
      return explainJwt(rule, input, cause);
    case "certificate":
      return [explainCertificate(rule, input, cause)];
    case "none":
      throw new TypeError("Nothing is refused where nothing is asked for");
  }
}
