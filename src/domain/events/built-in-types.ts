/** An event type that every tenant knows from the start. */
export interface BuiltInType {
  origin: "HUB" | "PLATFORM";
  description: string;
  sample: Readonly<Record<string, unknown>>;
}

const SUBSCRIPTION = "0192f1c4-8a31-7c55-9a0e-3f6f2f0f5d11";
const DELIVERY = "5f0c8b1e-7a4d-5c1f-9d2b-6f3a1c0e7b52";
const EVENT = "0192f1c4-9b02-7d3e-8f41-5a7c9e1b2d33";
const INTEGRATION = "0192f1c4-7c10-7aa1-b0de-8e4f6a2c1b90";
const TEMPLATE = "0192f1c4-6e50-7d21-8b3a-2c4d6e8f0a12";
const PARTNER = "0192f1c4-b1c4-7f23-8dae-2a3b4c5d6e7f";
const JOB = "0192f1c4-a0b3-7e12-8c9d-1f2e3d4c5b6a";

const integration = { integrationId: INTEGRATION, providerCode: "DAT", name: "DAT production" };
const circuit = { integrationId: INTEGRATION, failureCount: 5 };
const job = { jobId: JOB, integrationId: INTEGRATION, entityType: "LOAD", direction: "OUTBOUND" };
const delivery = {
  subscriptionId: SUBSCRIPTION,
  deliveryId: DELIVERY,
  eventId: EVENT,
  eventType: "order.created",
};

/** The specification's "Published Events", "Subscribed Events", and the hub's own additions. */
export const BUILT_IN_TYPES: Readonly<Record<string, BuiltInType>> = {
  "integration.created": {
    origin: "HUB",
    description: "An integration was configured.",
    sample: { ...integration, status: "PENDING_AUTH", environment: "PRODUCTION" },
  },
  "integration.updated": {
    origin: "HUB",
    description: "Its configuration changed. Names of fields only, never values.",
    sample: { integrationId: INTEGRATION, changedFields: ["name", "timeoutSeconds"] },
  },
  "integration.deleted": {
    origin: "HUB",
    description: "An integration was removed.",
    sample: { integrationId: INTEGRATION },
  },
  "integration.connected": {
    origin: "HUB",
    description: "An integration became ACTIVE after a test or an authorization.",
    sample: { integrationId: INTEGRATION, status: "ACTIVE" },
  },
  "integration.disconnected": {
    origin: "HUB",
    description: "An integration left ACTIVE for PENDING_AUTH or ERROR.",
    sample: { integrationId: INTEGRATION, status: "ERROR", error: "The access token was revoked." },
  },
  "integration.login_ending": {
    origin: "HUB",
    description:
      "Somebody has to log in with the provider again soon: told 30 days, 7 days and a day before.",
    sample: { ...integration, environment: "PRODUCTION", endsAt: "2031-03-02T14:05:00.000Z" },
  },
  "integration.error": {
    origin: "HUB",
    description: "Calls failed finally; at most one a minute for an integration and code.",
    sample: {
      integrationId: INTEGRATION,
      code: "upstream_timeout",
      message: "No answer within 30 s.",
      count: 3,
    },
  },
  "webhook.received": {
    origin: "HUB",
    description: "An inbound webhook was processed. A large or binary body is left out.",
    sample: {
      receiptId: "0192f1c4-5d20-7b8e-a1c2-d3e4f5a6b7c8",
      endpointId: "0192f1c4-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
      integrationId: null,
      eventId: "evt_1842",
      eventType: "shipment.updated",
      body: '{"shipment":"1842","state":"DELIVERED"}',
    },
  },
  "webhook.delivered": {
    origin: "HUB",
    description: "A delivery ended well. Deliveries of webhook.* events tell nothing.",
    sample: { ...delivery, attempts: 1, responseStatus: 200 },
  },
  "webhook.failed": {
    origin: "HUB",
    description: "A delivery was given up after its last try.",
    sample: { ...delivery, attempts: 6, responseStatus: 503, error: "The receiver answered 503." },
  },
  "webhook.subscription_disabled": {
    origin: "HUB",
    description: "A subscription was disabled after failures in a row, or because its receiver answered 410.",
    sample: { subscriptionId: SUBSCRIPTION, reason: "10 failed attempts in a row" },
  },
  "webhook.test": {
    origin: "HUB",
    description: "A test send that somebody asked for; it reaches one subscription only.",
    sample: { subscriptionId: SUBSCRIPTION, message: "This is a test." },
  },
  "edi.document": {
    origin: "HUB",
    description:
      "An X12 document is to go out to a partner: an acknowledgment, or one that was sent by the API. A subscription with " +
      "the content type application/edi-x12 gets the document itself.",
    sample: {
      documentId: "5f0c8b1e-7a4d-5c1f-9d2b-6f3a1c0e7b52",
      partnerId: PARTNER,
      partnerName: "ACME Freight",
      subscriptionId: null,
      kind: "ACKNOWLEDGMENT",
      setCodes: ["997"],
      interchangeControlNumber: 12,
      x12: "ISA*00*          *00*          *02*SCAC           *ZZ*ACMEFREIGHT    *261123*1030*U*00401*000000012*0*P*>~…",
    },
  },
  "edi.acknowledged": {
    origin: "HUB",
    description: "A partner answered a document of ours by a 997, 999 or TA1.",
    sample: {
      documentId: "5f0c8b1e-7a4d-5c1f-9d2b-6f3a1c0e7b52",
      partnerId: PARTNER,
      partnerName: "ACME Freight",
      setCodes: ["990"],
      interchangeControlNumber: 12,
      status: "ACCEPTED",
      answer: { AK9: { AK901: "A", AK902: "1", AK903: "1", AK904: "1" } },
    },
  },
  "sync.started": {
    origin: "HUB",
    description: "A sync job started.",
    sample: { ...job, status: "RUNNING" },
  },
  "sync.completed": {
    origin: "HUB",
    description: "A sync job finished.",
    sample: { ...job, status: "COMPLETED", processedRecords: 120, failedRecords: 0 },
  },
  "sync.failed": {
    origin: "HUB",
    description: "A sync job failed.",
    sample: { ...job, status: "FAILED", error: "The provider refused the credentials." },
  },
  "circuit.opened": {
    origin: "HUB",
    description: "The circuit of an integration opened: calls are refused for a while.",
    sample: { ...circuit, state: "OPEN" },
  },
  "circuit.closed": {
    origin: "HUB",
    description: "The circuit of an integration closed: calls go through again.",
    sample: { integrationId: INTEGRATION, state: "CLOSED" },
  },
  "transformation.paused": {
    origin: "HUB",
    description: "A template failed one document after the other and rests; its documents wait.",
    sample: {
      templateId: TEMPLATE,
      code: "acme-204-to-load",
      version: 4,
      reason: "mapping_failed",
      message: "/stops: is required",
      failures: 8,
      pausedUntil: "2026-03-02T14:06:00.000Z",
    },
  },
  "transformation.resumed": {
    origin: "HUB",
    description: "A document passed again, or somebody resumed the template.",
    sample: { templateId: TEMPLATE, code: "acme-204-to-load", version: 4 },
  },
  "gateway.call_completed": {
    origin: "HUB",
    description: "A call with `Prefer: respond-async` ended, with its result.",
    sample: {
      callId: "0192f6a0-0000-7000-8000-000000000009",
      integrationId: INTEGRATION,
      method: "GET",
      target: "/v1/loads",
      status: "DONE",
      attempts: 1,
      response: { status: 200, headers: {}, body: "{}", bodyEncoding: "utf8", bodyTruncated: false },
      error: null,
    },
  },
  "order.created": {
    origin: "PLATFORM",
    description: "An order was created. Goes to subscribers.",
    sample: { orderId: "ORD-1001", customerId: "CUST-7", status: "NEW" },
  },
  "order.status_changed": {
    origin: "PLATFORM",
    description: "An order's status changed. Goes to subscribers and starts synchronisation.",
    sample: { orderId: "ORD-1001", previousStatus: "NEW", status: "DISPATCHED" },
  },
  "load.delivered": {
    origin: "PLATFORM",
    description: "A load was delivered. Goes to subscribers.",
    sample: { loadId: "LOAD-2001", deliveredAt: "2026-03-02T14:05:00Z" },
  },
  "carrier.approved": {
    origin: "PLATFORM",
    description: "A carrier was approved. Goes to subscribers and to external systems.",
    sample: { carrierId: "CARR-301", mcNumber: "MC123456" },
  },
  "invoice.generated": {
    origin: "PLATFORM",
    description: "An invoice was generated. Goes to subscribers and to accounting.",
    sample: { invoiceId: "INV-4001", orderId: "ORD-1001", total: "1250.00", currency: "USD" },
  },
};

/** The built-in type of this name; undefined when there is none. */
export function findBuiltInType(type: string): BuiltInType | undefined {
  return Object.hasOwn(BUILT_IN_TYPES, type) ? BUILT_IN_TYPES[type] : undefined;
}

/** JSON Schema of what the hub publishes itself: the fields of the sample, each of its kind. */
export function schemaOfSample(sample: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const properties = Object.fromEntries(
    Object.entries(sample).map(([name, value]) => [name, value === null ? {} : { type: kindOf(value) }]),
  );
  return { type: "object", required: Object.keys(sample), properties };
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}
