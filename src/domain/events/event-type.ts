import { findBuiltInType } from "./built-in-types.ts";

/** Longest event type; `webhook_deliveries.event_type` of the specification holds 100 characters. */
export const EVENT_TYPE_MAX = 100;

/** Words of lower-case letters, digits, `_` and `-`, joined by dots. */
const DOTTED = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
const UPPER = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/;

/** Beginnings that are the hub's own, with the types to come. */
const OWN_PREFIXES = ["integration.", "webhook.", "circuit.", "sync."];

/**
 * An event type as it is stored: dotted and in lower case. The specification's upper-case spelling is taken too:
 * `ORDER_STATUS_CHANGED` is `order.status_changed`.
 *
 * @returns undefined when the text is no event type
 */
export function readEventType(text: string): string | undefined {
  const type = UPPER.test(text) ? text.toLowerCase().replace("_", ".") : text;
  return type.length <= EVENT_TYPE_MAX && DOTTED.test(type) ? type : undefined;
}

/** True for a type that only the hub publishes: from anybody else it would be a forgery. */
export function isOwnType(type: string): boolean {
  return OWN_PREFIXES.some((prefix) => type.startsWith(prefix)) || findBuiltInType(type)?.origin === "HUB";
}

/**
 * A subscription's pattern as it is stored: an event type, `*` for all, or a beginning before a trailing `*`
 * (`order.*`, `ORDER_*`).
 *
 * @returns undefined when the text is no pattern
 */
export function readEventPattern(text: string): string | undefined {
  if (text === "*") return "*";
  if (!text.endsWith("*")) return readEventType(text);
  const isUpper = /^[A-Z][A-Z0-9_]*\*$/.test(text);
  const stem = (isUpper ? text.toLowerCase().replace("_", ".") : text).slice(0, -1);
  const isStem = stem.length < EVENT_TYPE_MAX && /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/.test(stem);
  return isStem ? `${stem}*` : undefined;
}

/** True when a stored pattern takes the type. */
export function matchesPattern(pattern: string, type: string): boolean {
  return pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : pattern === type;
}
