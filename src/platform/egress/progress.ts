import type { Refusal } from "./address-policy.ts";
import type { EgressErrorCode, EgressPhase, EgressResult, EgressTimings, ReadAnswer } from "./exchange.ts";

/** Where one exchange stands, and its result in every way that it can end without an answer. */
export class Progress {
  readonly startedAt = performance.now();
  readonly timings: EgressTimings = { totalMs: 0 };
  phase: EgressPhase = "dns";
  /** Some byte of the request may have left. */
  sent = false;
  address: string | undefined;
  /** Status of an answer that has begun. */
  status: number | undefined;
  /** Ends what is waited for. */
  onGiveUp: (() => void) | undefined;
  isOver = false;

  elapsedMs(): number {
    return Math.round(performance.now() - this.startedAt);
  }

  onWritten(): void {
    this.phase = "read";
  }

  onFirstByte(): void {
    this.phase = "read";
    this.timings.firstByteMs = this.elapsedMs();
  }

  giveUp(): void {
    this.isOver = true;
    this.onGiveUp?.();
  }

  end(): EgressTimings {
    this.timings.totalMs = this.elapsedMs();
    return { ...this.timings };
  }

  response({ status, headers, body, bodyTruncated }: ReadAnswer): EgressResult {
    return { kind: "response", status, headers, body, bodyTruncated, ...this.#exchange() };
  }

  timeout(timeoutMs: number): EgressResult {
    return {
      kind: "timeout",
      phase: this.phase,
      sent: this.sent,
      message: `${WAITED_FOR[this.phase]} within ${Math.round(timeoutMs)} ms`,
      ...(this.status === undefined ? {} : { status: this.status }),
      ...this.#exchange(),
    };
  }

  refused({ code, message }: Refusal): EgressResult {
    return { kind: "refused", code, message, ...this.#exchange() };
  }

  error(code: EgressErrorCode, message: string, phase: EgressPhase = this.phase): EgressResult {
    return { kind: "error", phase, sent: this.sent, code, message, ...this.#exchange() };
  }

  #exchange(): { timings: EgressTimings; address?: string } {
    return { timings: this.end(), ...(this.address === undefined ? {} : { address: this.address }) };
  }
}

const WAITED_FOR: Readonly<Record<EgressPhase, string>> = {
  dns: "The host's name was not resolved",
  connect: "No connection",
  tls: "The TLS handshake was not complete",
  write: "The request was not taken",
  read: "No complete answer",
};
