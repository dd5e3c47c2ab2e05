import { type ErrorCode, type FieldError, HubError } from "../errors.ts";

/** What a caller is told of a call besides its answer (`Hub-…` headers). */
export interface CallInfo {
  /** Log row of the last try. */
  logId: string | undefined;
  /** Requests that went out, or were to. */
  attempts: number;
  queuedMs: number;
  /** Fewest units left of the quotas that the call met. */
  rateRemaining: number | undefined;
  circuit: string | undefined;
}

/** An error of the hub, not of the provider, on a call that had begun. */
export class GatewayError extends HubError {
  readonly info: CallInfo;

  constructor(
    code: ErrorCode,
    detail: string | undefined,
    info: CallInfo,
    retryAfterMs?: number,
    errors?: readonly FieldError[],
  ) {
    super(code, detail, {
      ...(retryAfterMs === undefined
        ? {}
        : { retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1_000)) }),
      ...(errors === undefined ? {} : { errors }),
    });
    this.name = "GatewayError";
    this.info = info;
  }
}
