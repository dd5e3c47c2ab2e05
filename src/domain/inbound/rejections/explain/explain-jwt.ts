import type { JwtRule, SignatureCause } from "../../schemes/scheme.ts";
import {
  compileJwtRule,
  decodeTokenPart,
  TOKEN_ALGORITHMS,
  tokenTimeCause,
} from "../../schemes/verify-rule-jwt.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import { explainByTrial } from "./explain-by-trial.ts";
import type { ExplainInput } from "./explain-input.ts";

/**
 * Says why a request with a JSON Web Token was not accepted: its header, its algorithm, its times, then its secret.
 *
 * @param cause what the verifier found
 * @returns at least one cause
 */
export async function explainJwt(
  rule: JwtRule,
  input: ExplainInput,
  cause: SignatureCause,
): Promise<RejectionCause[]> {
  const value = input.request.headers.get(rule.header);
  if (value === null) return [missing(rule.header)];
  const [, header = "", payload = ""] = /^bearer ([^.]+)\.([^.]+)\.[^.]+$/i.exec(value) ?? [];
  const algorithm = decodeTokenPart(header)?.["alg"];
  const claims = decodeTokenPart(payload);
  if (algorithm === undefined || claims === undefined) return [noToken(rule.header)];
  if (typeof algorithm === "string" && !TOKEN_ALGORITHMS.includes(algorithm))
    return [otherAlgorithm(algorithm)];
  if (claims["exp"] === undefined && claims["iat"] === undefined) return [TIMELESS];
  const { nowMs } = input.request;
  const late = tokenTimeCause(claims, Math.floor(nowMs / 1000), rule.toleranceSeconds);
  const found =
    late === "timestamp_stale" || late === "timestamp_future" ? [clockOff(claims, late, nowMs)] : [];
  // However far off the times are, they are no matter of the secret.
  const timeless = { ...rule, toleranceSeconds: Infinity };
  const trial = {
    secret: rule.secret,
    signsUrl: false,
    compile: (secret: string) => compileJwtRule(timeless, [secret]),
  };
  return [...found, ...(await explainByTrial(input, trial, found.length > 0 ? undefined : cause))];
}

function clockOff(
  { iat, nbf, exp }: Readonly<Record<string, unknown>>,
  cause: "timestamp_stale" | "timestamp_future",
  nowMs: number,
): RejectionCause {
  const [issued, notBefore, end] = [iat, nbf, exp].map((time) =>
    typeof time === "number" ? time : undefined,
  );
  const isStale = cause === "timestamp_stale";
  const time = isStale ? (end ?? issued ?? 0) : Math.max(issued ?? 0, notBefore ?? 0);
  const seconds = Math.round(nowMs / 1000 - time);
  const stale = `The token's ${end === undefined ? "`iat`" : "`exp`"} lies ${seconds} s before its arrival: the sender uses an old token, its clock is slow, or the request was delayed.`;
  const future = `The token's ${time === issued ? "`iat`" : "`nbf`"} lies ${-seconds} s after its arrival: the sender's clock is fast, or the hub's is slow.`;
  return {
    code: "clock_off",
    message: isStale ? stale : future,
    action:
      "Have the sender make a token for each request and synchronise its clock (NTP); check the hub's. Where delays are normal raise `signatureSettings.toleranceSeconds`.",
    seconds,
  };
}

function missing(header: string): RejectionCause {
  return {
    code: "header_missing",
    message: `The header ${header} is missing.`,
    action: "Check that the sender sends a token there and that no proxy removes the header.",
    header,
  };
}

function noToken(header: string): RejectionCause {
  return {
    code: "signature_format",
    message: `The header ${header} does not hold "Bearer <token>" with a JSON Web Token in three parts.`,
    action: "Have the sender write it so; for a plain token behind `Bearer` use the scheme `token`.",
    header,
  };
}

function otherAlgorithm(algorithm: string): RejectionCause {
  const name = /^[A-Za-z0-9-]{1,20}$/.test(algorithm) ? algorithm : "another algorithm";
  return {
    code: "signature_algorithm",
    message: `The token is signed with ${name}; the scheme takes ${TOKEN_ALGORITHMS.join(" and ")}.`,
    action: "Have the sender sign with one of these and the shared secret.",
  };
}

const TIMELESS: RejectionCause = {
  code: "timestamp_missing",
  message: "The token has neither `exp` nor `iat`, so it would count for ever.",
  action: "Have the sender put `exp` into the token.",
};
