import type { ComposedRule, SignatureCause } from "../../schemes/scheme.ts";
import { compileComposedRule } from "../../schemes/verify-rule-composed.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import { explainByTrial } from "./explain-by-trial.ts";
import type { ExplainInput } from "./explain-input.ts";
import { missingHeader } from "./missing-header.ts";
import { judgeTime } from "./signed-time.ts";

/**
 * Says why a request of a scheme that composes what is signed in its own way was not accepted.
 *
 * @param cause what the verifier found
 * @returns at least one cause
 */
export async function explainComposed(
  rule: ComposedRule,
  input: ExplainInput,
  cause: SignatureCause,
): Promise<RejectionCause[]> {
  const { request } = input;
  const [header] = rule.headers;
  if (header !== undefined && !rule.headers.some((name) => request.headers.has(name)))
    return [missingHeader(header, request.headers)];
  const { time, ...timeless } = rule;
  let signsUrl = false;
  const publicUrl = () => {
    signsUrl = true;
    return request.publicUrl();
  };
  const composed = rule.compose({ ...request, publicUrl });
  const timestamp = "cause" in composed ? undefined : composed.timestamp;
  const found =
    time === undefined || timestamp === undefined ? [] : judgeTime(timestamp, time, request.nowMs);
  const trial = {
    secret: rule.secret,
    signsUrl,
    compile: (secret: string) => compileComposedRule(timeless, [secret]),
  };
  return [...found, ...(await explainByTrial(input, trial, found.length > 0 ? undefined : cause))];
}
