import type { RejectionCause } from "../rejection-cause.ts";

/** One way in which a part of the request or of the configuration may have been meant, and what would be wrong then. */
export interface Variant<T> {
  value: T;
  /** None for the part as it is. */
  causes: readonly RejectionCause[];
}

/** The part as it is. */
export function asIs<T>(value: T): Variant<T> {
  return { value, causes: [] };
}
