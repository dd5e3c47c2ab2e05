import type { FieldError } from "../errors.ts";
import { invalidInput } from "../errors.ts";
import type { Priority } from "../rate-limit/admission-call.ts";
import type { StoredTemplate } from "../transformations/schema.ts";
import { readTemplateOption } from "./template-option.ts";

/** What a caller asks of one call, besides the request itself. */
export interface CallOptions {
  priority: Priority;
  /** Time for everything: queue, retries and both bodies. Left out: the integration's. */
  timeoutMs?: number;
  /** Longest wait for the provider's limits. */
  queueTimeoutMs?: number;
  /** Tries after the first one. Left out: the integration's. */
  retries?: number;
  /** The provider, or the caller, can tell a repetition: the call may be sent again. */
  idempotencyKey?: string;
  /** Through which the request's body goes before it is sent. */
  transformRequest?: StoredTemplate;
  /** Through which the body of an answer with a 2xx goes. */
  transformResponse?: StoredTemplate;
  /** Answer 202 at once and do it afterwards. */
  isAsync: boolean;
}

/** Longest that a call may take. */
export const TIMEOUT_MAX_MS = 3_600_000;
const RETRIES_MAX = 10;
const KEY = /^[\x21-\x7e]{1,255}$/;
const PRIORITIES: readonly string[] = ["high", "normal", "low"];

/**
 * Reads the control headers of a call.
 *
 * @throws HubError `invalid_input` (422) with the name of each header that is wrong
 */
export function readCallOptions(headers: Headers): CallOptions {
  const faults: FieldError[] = [];
  const whole = (name: string, min: number, max: number): number | undefined => {
    const text = headers.get(name);
    if (text === null) return undefined;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    faults.push({ path: name, message: `a whole number from ${min} to ${max}` });
    return undefined;
  };
  const priority = headers.get("hub-priority")?.toLowerCase() ?? "normal";
  if (!PRIORITIES.includes(priority))
    faults.push({ path: "Hub-Priority", message: "one of high, normal, low" });
  const timeoutMs = whole("Hub-Timeout-Ms", 1, TIMEOUT_MAX_MS);
  const queueTimeoutMs = whole("Hub-Queue-Timeout-Ms", 0, TIMEOUT_MAX_MS);
  const retries = whole("Hub-Retries", 0, RETRIES_MAX);
  const template = (name: string): StoredTemplate | undefined => {
    const text = headers.get(name);
    if (text === null) return undefined;
    const named = readTemplateOption(text);
    if (named === undefined)
      faults.push({ path: name, message: "a template's code, with its version behind @ or without one" });
    return named;
  };
  const transformRequest = template("Hub-Transform-Request");
  const transformResponse = template("Hub-Transform-Response");
  const idempotencyKey = headers.get("idempotency-key") ?? undefined;
  if (idempotencyKey !== undefined && !KEY.test(idempotencyKey))
    faults.push({
      path: "Idempotency-Key",
      message: "1 to 255 printable ASCII characters without spaces",
    });
  if (faults.length > 0) throw invalidInput(faults);
  return {
    priority: priority as Priority,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(queueTimeoutMs === undefined ? {} : { queueTimeoutMs }),
    ...(retries === undefined ? {} : { retries }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(transformRequest === undefined ? {} : { transformRequest }),
    ...(transformResponse === undefined ? {} : { transformResponse }),
    isAsync: prefersAsync(headers.get("prefer")),
  };
}

/** RFC 7240 section 4.1. */
function prefersAsync(prefer: string | null): boolean {
  return (prefer ?? "").split(",").some((part) => /^\s*respond-async\s*(?:;|$)/i.test(part));
}
