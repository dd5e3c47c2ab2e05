import { Type } from "@sinclair/typebox";
import type { Scheme, SecretRule } from "./scheme.ts";
import { TimedSettings, toleranceSeconds } from "./settings.ts";
import { STANDARD_HEADERS, standardRule } from "./standard-webhooks.ts";

const GitLabSettings = Type.Object(
  {
    proof: Type.Optional(
      Type.Union([Type.Literal("secret-token"), Type.Literal("signing-token")], {
        default: "secret-token",
        description:
          "Which of the two GitLab is told: the secret token of every version, sent in X-Gitlab-Token, or the signing " +
          "token (`whsec_…`) of newer ones, with which the request is signed.",
      }),
    ),
    toleranceSeconds: TimedSettings.properties.toleranceSeconds,
  },
  { additionalProperties: false },
);

const secretToken: SecretRule = {
  keys: [
    {
      prefix: "",
      form: "utf8",
      use: "compare",
      bytesMin: 16,
      pattern: { regex: /^[!-~]*$/, message: "must be visible ASCII without spaces" },
    },
  ],
  generate: { prefix: "", bytes: 32, encoding: "base64url" },
};

/** The signing token follows Standard Webhooks: https://gitlab.com/gitlab-org/gitlab/-/merge_requests/230944 */
export const gitlab: Scheme = {
  name: "gitlab",
  title: "GitLab",
  source: "https://docs.gitlab.com/user/project/integrations/webhooks/",
  settings: GitLabSettings,
  checkSettings: ({ signatureSettings }) =>
    signatureSettings?.["toleranceSeconds"] !== undefined && signatureSettings["proof"] !== "signing-token"
      ? [{ path: "/signatureSettings/toleranceSeconds", message: "needs the proof signing-token" }]
      : [],
  rule: (settings) =>
    settings.signatureSettings?.["proof"] === "signing-token"
      ? standardRule([STANDARD_HEADERS], toleranceSeconds(settings))
      : { kind: "token", place: { header: "x-gitlab-token", prefix: "" }, secret: secretToken },
  // Both hold the same value, which stays the same when a delivery is sent again; X-Gitlab-Event-UUID does not name one
  // delivery but all that one action caused.
  eventId: { header: "webhook-id", orHeader: "idempotency-key" },
  eventType: { header: "x-gitlab-event" },
};
