import { SCHEMES } from "../../schemes/registry.ts";
import { type Rule, ruleOf } from "../../schemes/scheme.ts";
import type { RejectionCause } from "../rejection-cause.ts";

/** Schemes of providers by the headers of their signatures, under default settings. */
const schemesByHeader = new Map<string, string[]>();
for (const scheme of SCHEMES) {
  // What an owner may name differently tells nothing.
  if (scheme.ownerChooses !== undefined) continue;
  for (const header of signatureHeaders(ruleOf(scheme, {}))) {
    schemesByHeader.set(header, [...(schemesByHeader.get(header) ?? []), scheme.name]);
  }
}

function signatureHeaders(rule: Rule): readonly string[] {
  if (rule.kind === "signature") return rule.headers.map(({ signature }) => signature);
  return rule.kind === "composed" ? rule.headers : [];
}

/**
 * A signature's header is missing. Where the request has the one of another scheme, that is most likely the right one.
 *
 * @param expected the header of the endpoint's scheme
 */
export function missingHeader(expected: string, headers: Headers): RejectionCause {
  for (const [header] of headers) {
    const names = schemesByHeader.get(header);
    if (names === undefined) continue;
    const words = names.map((name) => `\`${name}\``).join(" or ");
    return {
      code: "header_missing",
      message: `The header ${expected} is missing; there is ${header}, which senders of the scheme ${words} use.`,
      action: `Set \`signatureScheme\` to the sender's own scheme, or give the sender the address of the endpoint that is meant.`,
      header: expected,
    };
  }
  return {
    code: "header_missing",
    message: `The header ${expected} is missing, and no other header holds the signature.`,
    action:
      "Check that the sender signs at all and that no proxy removes the header; another scheme, or another version of it in `signatureSettings`, may be the right one.",
    header: expected,
  };
}
