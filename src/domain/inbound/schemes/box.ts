import { compilePlace } from "./read-place.ts";
import type { Scheme } from "./scheme.ts";
import { toleranceSetting } from "./settings.ts";
import { TEXT_SECRET } from "./text-secret.ts";

const readTimestamp = compilePlace({ header: "box-delivery-timestamp" });
const readVersion = compilePlace({ header: "box-signature-version" });
const readAlgorithm = compilePlace({ header: "box-signature-algorithm" });
const SIGNATURES = ["box-signature-primary", "box-signature-secondary"];
const readers = SIGNATURES.map((header) => compilePlace({ header }));

/** Box's packages take deliveries of the last ten minutes. */
const tolerance = toleranceSetting(600, 3600);

export const box: Scheme = {
  name: "box",
  title: "Box",
  source: "https://developer.box.com/guides/webhooks/v2/signatures-v2/",
  settings: tolerance.schema,
  rule: (settings) => ({
    kind: "composed",
    headers: SIGNATURES,
    algorithm: { type: "hmac", hash: "sha256", encoding: "base64" },
    compose: (request) => {
      const timestamp = readTimestamp(request);
      if ("cause" in timestamp) return timestamp;
      for (const [read, only] of [
        [readVersion, "1"],
        [readAlgorithm, "HmacSHA256"],
      ] as const) {
        const found = read(request);
        if ("cause" in found) return found;
        if (found.value !== only) return { cause: "unknown_version" };
      }
      const found = readers.map((read) => read(request));
      const doubled = found.find((one) => "cause" in one && one.cause !== "header_missing");
      if (doubled !== undefined && "cause" in doubled) return doubled;
      const signatures = found.flatMap((one) => ("value" in one ? [one.value] : []));
      if (signatures.length === 0) return { cause: "header_missing" };
      const message = { before: "", body: request.rawBody, after: timestamp.value };
      return { proofs: [{ signatures, messages: [message] }], timestamp: timestamp.value };
    },
    time: { unit: "iso8601", toleranceSeconds: tolerance.read(settings) },
    secret: TEXT_SECRET,
  }),
  eventId: { pointer: "/id" },
  eventType: { pointer: "/trigger" },
};
