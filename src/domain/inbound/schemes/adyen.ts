import { utf8Text } from "./read-place.ts";
import type { Composition, Proof, Scheme, SignatureCause } from "./scheme.ts";

const EMPTY = new Uint8Array(0);

interface Item {
  pspReference?: unknown;
  originalReference?: unknown;
  merchantAccountCode?: unknown;
  merchantReference?: unknown;
  amount?: { value?: unknown; currency?: unknown } | null;
  eventCode?: unknown;
  success?: unknown;
  additionalData?: { hmacSignature?: unknown } | null;
}

export const adyen: Scheme = {
  name: "adyen",
  title: "Adyen (standard webhooks)",
  source: "https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
  rule: {
    kind: "composed",
    headers: [],
    algorithm: { type: "hmac", hash: "sha256", encoding: "base64" },
    compose: ({ rawBody }) => composeItems(rawBody),
    secret: {
      keys: [{ prefix: "", form: "hex", use: "hmac", bytesMin: 32, bytesMax: 64 }],
    },
  },
  // An event that happened twice has the same eventCode and pspReference (docs: "Handle duplicates").
  eventId: {
    each: "/notificationItems",
    pointers: [
      "/NotificationRequestItem/eventCode",
      "/NotificationRequestItem/pspReference",
      "/NotificationRequestItem/success",
    ],
    joinedBy: ":",
  },
  eventType: {
    each: "/notificationItems",
    pointers: ["/NotificationRequestItem/eventCode"],
    joinedBy: "",
  },
  accepted: { status: 200, contentType: "text/plain", body: "[accepted]" },
};

/** Every item brings its own signature over some of its fields. */
function composeItems(rawBody: Uint8Array): Composition | { cause: SignatureCause } {
  const items = readItems(utf8Text(rawBody));
  if (items === undefined) return { cause: "malformed" };
  const proofs: Proof[] = [];
  for (const item of items) {
    const signature = item.additionalData?.hmacSignature;
    if (signature === undefined) return { cause: "header_missing" };
    const fields = [
      item.pspReference,
      item.originalReference,
      item.merchantAccountCode,
      item.merchantReference,
      item.amount?.value,
      item.amount?.currency,
      item.eventCode,
      item.success,
    ].map((field) => field ?? "");
    if (typeof signature !== "string" || !fields.every(isScalar)) return { cause: "malformed" };
    const before = fields.join(":");
    proofs.push({ signatures: [signature], messages: [{ before, body: EMPTY, after: "" }] });
  }
  return { proofs };
}

function isScalar(value: unknown): value is string | number | boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}

function readItems(text: string | undefined): Item[] | undefined {
  try {
    const document = JSON.parse(text ?? "") as { notificationItems?: unknown } | null;
    const list: unknown = document?.notificationItems;
    if (!Array.isArray(list)) return undefined;
    const items = list.map(
      (one) => (one as { NotificationRequestItem?: Item } | null)?.NotificationRequestItem,
    );
    return items.every((item) => typeof item === "object" && item !== null) ? (items as Item[]) : undefined;
  } catch {
    return undefined;
  }
}
