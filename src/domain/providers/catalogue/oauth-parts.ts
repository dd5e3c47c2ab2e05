import type { Placement, RefreshPolicy, TokenAnswer } from "../auth-schema.ts";
import type { InputField } from "../manifest-schema.ts";

/** Parts that RFC 6749 gives the same form with most providers. */

export const BEARER: Placement[] = [{ in: "header", name: "Authorization", value: "Bearer {accessToken}" }];

/** RFC 6749 section 5.1. */
export const TOKEN_ANSWER: TokenAnswer = {
  accessToken: "/access_token",
  refreshToken: "/refresh_token",
  expires: { pointer: "/expires_in", format: "delta_s" },
};

/** RFC 6749 section 5.2: the grant is over, and no repetition brings it back. */
export const INVALID_GRANT: RefreshPolicy["finalErrors"] = [{ pointer: "/error", values: ["invalid_grant"] }];

/** Id and secret of the app that was registered with the provider. */
export function clientFields(registeredAt: string): InputField[] {
  return [
    {
      name: "clientId",
      label: "Client id",
      kind: "operator",
      type: "string",
      required: true,
      help: `Of the app registered at ${registeredAt}.`,
    },
    { name: "clientSecret", label: "Client secret", kind: "secret", type: "string", required: true },
  ];
}

export const JSON_ACCEPT = { Accept: "application/json" } as const;

export const MINUTE = 60;
export const HOUR = 3_600;
export const DAY = 86_400;
/** Quotas "per month" are counted over 30 days, because no window here ends with a calendar month. */
export const MONTH = 30 * DAY;
