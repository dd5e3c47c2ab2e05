import type { ErrorCode } from "../../errors.ts";
import type { CachedEndpoint } from "../compile-endpoint.ts";
import type { SchemeSettings } from "../schemes/scheme.ts";
import type { SecretPlace } from "../../vault/sealed-format.ts";

/** A refusal as the accept path hands it over; nothing of it is read unless a sample is kept. */
export interface RefusedRequest {
  /** UUIDv7, made when the request came. */
  id: string;
  requestId: string;
  request: {
    method: string;
    /** `<tenant>/<endpoint path>`. */
    endpointKey: string;
    /** Path and query as received. */
    target: string;
    headers: Headers;
    socketAddress(): string;
  };
  /**
   * What the path led to, null for none; undefined when it was not looked up. The cache may have forgotten it since:
   * a changed endpoint is dropped from it, and its refusals are the ones that somebody waits for.
   */
  endpoint?: CachedEndpoint | null | undefined;
  /** Bytes as received; undefined when the request was refused before its body was read. */
  body: Uint8Array | undefined;
  code: ErrorCode;
  /** Finer than the code: the outcome that is counted, for a bad signature what exactly was wrong. */
  cause: string;
}

/** Takes refusals off the accept path. */
export interface RefusalSink {
  /** Never waits and never throws. */
  add(refused: RefusedRequest): void;
}

/** How much of a refused request's body is there. Only a complete one can be verified again. */
export type BodyState = "complete" | "truncated" | "not_read" | "not_kept";

/** What is sealed of a refused request: all that verifying it again needs. */
export interface RawRequest {
  method: string;
  /** Path and query as received. */
  target: string;
  /** In the order received; what came twice is joined as the Fetch standard does. */
  headers: [name: string, value: string][];
  /** Base64; null when there is none. */
  body: string | null;
  /** Milliseconds since the epoch, on the clock that judged the signature. */
  receivedAtMs: number;
  /** How the endpoint verified then: says which headers carry secrets although the scheme was changed since. */
  scheme: { name: string; settings: SchemeSettings } | null;
}

/** Where the raw request of a sample is sealed for. */
export function rawPlace(tenantId: string, id: string): SecretPlace {
  return { tenantId, table: "rejected_requests", rowId: id, column: "raw_sealed" };
}
