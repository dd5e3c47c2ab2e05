import type { Scheme } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { STANDARD_HEADERS, standardRule } from "./standard-webhooks.ts";

export const svix: Scheme = {
  name: "svix",
  title: "Svix",
  source: "https://docs.svix.com/receiving/verifying-payloads/how-manual",
  settings: TimedSettings,
  // Customers of Svix may switch to the unbranded names of Standard Webhooks.
  rule: (settings) =>
    standardRule(
      [{ signature: "svix-signature", timestamp: "svix-timestamp", id: "svix-id" }, STANDARD_HEADERS],
      toleranceSeconds(settings),
    ),
  eventId: { header: "svix-id", orHeader: "webhook-id" },
  eventType: { pointer: "/type" },
};
