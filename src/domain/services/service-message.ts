/** What a target service is given, over HTTP as headers and body, in a stream as fields of these names. */
export interface ServiceMessage {
  /** Receipt id: the same at every repetition, so that the service can tell one. */
  id: string;
  tenantId: string;
  endpointId: string;
  /** Event type; "" when the sender names none. */
  type: string;
  handler: string;
  /** RFC 3339: when the hub accepted it. */
  occurredAt: string;
  /** W3C trace context; "" when the sender gave none. */
  traceparent: string;
  contentType: string;
  body: Uint8Array | string;
}

/** What became of one message. `retryable`: the service is away, full or overloaded; else it refused the message. */
export type SendOutcome = { ok: true } | { ok: false; retryable: boolean; code: string; message: string };
