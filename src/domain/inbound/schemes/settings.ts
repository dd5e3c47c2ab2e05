import { Type } from "@sinclair/typebox";
import type { SchemeSettings } from "./scheme.ts";

/** Tolerance of a signed time to both sides: what every provider that documents one names. */
export const TOLERANCE_SECONDS_DEFAULT = 300;

const tolerance = Type.Optional(
  Type.Integer({
    minimum: 10,
    maximum: 3600,
    default: TOLERANCE_SECONDS_DEFAULT,
    description: "How far the signed time may lie in the past and in the future.",
  }),
);

/** Settings of a scheme in which the provider fixed all but the tolerance. */
export const TimedSettings = Type.Object({ toleranceSeconds: tolerance }, { additionalProperties: false });

/** Seconds of tolerance that the owner chose, or the default. */
export function toleranceSeconds(settings: SchemeSettings): number {
  const chosen = settings.signatureSettings?.["toleranceSeconds"];
  return typeof chosen === "number" ? chosen : TOLERANCE_SECONDS_DEFAULT;
}
