import { Type } from "@sinclair/typebox";
import type { SchemeSettings } from "./scheme.ts";

/** Tolerance of a signed time to both sides: what every provider that documents one names. */
export const TOLERANCE_SECONDS_DEFAULT = 300;

/** Settings of a scheme in which the provider fixed all but the tolerance, and how they are read. */
export function toleranceSetting(defaultSeconds: number, maxSeconds: number) {
  const toleranceSeconds = Type.Optional(
    Type.Integer({
      minimum: 10,
      maximum: maxSeconds,
      default: defaultSeconds,
      description: "How far the signed time may lie in the past and in the future.",
    }),
  );
  return {
    schema: Type.Object({ toleranceSeconds }, { additionalProperties: false }),
    /** Seconds that the owner chose, or the default. */
    read: (settings: SchemeSettings): number => {
      const chosen = settings.signatureSettings?.["toleranceSeconds"];
      return typeof chosen === "number" ? chosen : defaultSeconds;
    },
  };
}

const timed = toleranceSetting(TOLERANCE_SECONDS_DEFAULT, 3600);
export const TimedSettings = timed.schema;
export const toleranceSeconds = timed.read;

/**
 * For providers that repeat a request for up to a day and do not say whether they sign it anew: a narrow tolerance would
 * refuse what was missed during an outage. Repetitions are recognised by their id meanwhile.
 */
const retried = toleranceSetting(86_400, 86_400);
export const RetriedSettings = retried.schema;
export const retriedToleranceSeconds = retried.read;
