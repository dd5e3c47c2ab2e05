import type { EgressPolicy, Refusal } from "./address-policy.ts";
import type { AnswerHeaders } from "./answer-headers.ts";

/** One HTTP request out. */
export interface EgressRequest {
  /** Fairness key: the target, so that one that hangs does not take all slots. */
  key: string;
  url: string;
  /** Which addresses may be called. */
  policy: EgressPolicy;
  method: string;
  /** One value a name. Host, Content-Length, Transfer-Encoding and the like are the sender's own and refused. */
  headers: Readonly<Record<string, string>>;
  body?: Uint8Array | string;
  /** Time for the whole exchange, counted from when a slot is free. */
  timeoutMs: number;
  /** Bytes of the answer's body that are kept; 64 KiB when left out. */
  responseBytesMax?: number;
  /**
   * The receiver can tell a repetition. A connection that was used before and is closed before the first byte of an
   * answer is then replaced once, as it most likely timed out on the receiver's side.
   */
  repeatable?: boolean;
  /** On a connection of its own: one that was kept may be closed already, and nobody knows then what arrived. */
  fresh?: boolean;
  /** Most requests with this key in flight, asked for each; a quarter of all slots when left out. */
  slots?(): number;
  /** Asked once a slot is free: false when the target has failed meanwhile and the request is not to be sent. */
  mayStart?(): boolean;
}

/** Where an exchange stood: looking the name up, connecting, TLS handshake, sending the request, awaiting the answer. */
export type EgressPhase = "dns" | "connect" | "tls" | "write" | "read";

/** Milliseconds from the start of the exchange; a phase that a reused connection or cached name saves is left out. */
export interface EgressTimings {
  /** The name was resolved. */
  dnsMs?: number;
  /** The connection stood, TLS included. */
  connectMs?: number;
  /** First byte of the answer. */
  firstByteMs?: number;
  totalMs: number;
}

/** Why an exchange failed, for logs and for the owner of the target. */
export type EgressErrorCode =
  | "dns_not_found"
  | "dns_failed"
  | "connection_refused"
  | "connection_timeout"
  | "connection_failed"
  | "tls_failed"
  | "certificate_invalid"
  | "connection_reset"
  | "connection_closed"
  | "response_malformed"
  | "response_headers_too_large"
  | "response_too_large"
  | "request_invalid"
  | "aborted";

/** What was read of an answer, its body decoded; a plain body of more than `responseBytesMax` is cut off. */
export interface ReadAnswer {
  status: number;
  headers: AnswerHeaders;
  body: Uint8Array;
  bodyTruncated: boolean;
}

interface Exchange {
  timings: EgressTimings;
  /** Address that was called, where it came so far. */
  address?: string;
}

/** What came back. */
export type EgressResult =
  /** `mayStart` said no. */
  | { kind: "withheld" }
  /** A complete answer. */
  | (Exchange & ReadAnswer & { kind: "response" })
  /** The address may not be called; nothing was connected. */
  | (Exchange & { kind: "refused"; code: Refusal["code"]; message: string })
  /** No complete answer in time. `sent`: some byte of the request may have left; `status`: of an answer begun. */
  | (Exchange & { kind: "timeout"; phase: EgressPhase; sent: boolean; message: string; status?: number })
  /** No complete answer. */
  | (Exchange & {
      kind: "error";
      phase: EgressPhase;
      sent: boolean;
      code: EgressErrorCode;
      message: string;
    });
