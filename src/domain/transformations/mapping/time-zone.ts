import { ValueFault } from "./value-fault.ts";

/** Which of two meanings a local time has when clocks change. */
export const CLOCK_CHANGES = ["compatible", "earlier", "later", "reject"] as const;
export type ClockChange = (typeof CLOCK_CHANGES)[number];

/** Where local time runs ahead of UTC by an amount that depends on the moment. */
export interface TimeZone {
  /** Milliseconds to add to UTC at this moment. */
  offsetMsAt(epochMs: number): number;
}

/** Zones change their offset at whole quarters of an hour, so all moments within one share it. */
const QUARTER_MS = 15 * 60_000;
const DAY_MS = 86_400_000;
/** Remembered quarters of one zone: those of a year and a half. */
const QUARTERS_MAX = 50_000;
/** Zones of the database: fewer than this, so a stranger's texts cannot fill the memory. */
const ZONES_MAX = 1_000;

const zones = new Map<string, TimeZone | undefined>();

const FIXED = /^(?:UTC|GMT|Z)?(?:([+-])(\d{2}):?(\d{2}))?$/;

/** A zone by its IANA name (`America/Chicago`) or a fixed offset (`UTC`, `+05:30`); undefined where there is none. */
export function findTimeZone(name: string): TimeZone | undefined {
  const known = zones.get(name);
  if (known !== undefined || zones.has(name)) return known;
  const zone = makeZone(name);
  if (zones.size < ZONES_MAX) zones.set(name, zone);
  return zone;
}

function makeZone(name: string): TimeZone | undefined {
  const fixed = name === "" ? null : FIXED.exec(name);
  if (fixed !== null) {
    const [, sign = "+", hours = "0", minutes = "0"] = fixed;
    const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === "-" ? -1 : 1);
    return Number(hours) > 18 || Number(minutes) > 59 ? undefined : { offsetMsAt: () => offsetMs };
  }
  try {
    // Names as the database has them: JavaScript alone would also take their letters in any case, and "EST5EDT".
    return /^[A-Z][A-Za-z_]+(?:\/[A-Za-z0-9_+-]+)+$/.test(name) ? new NamedZone(name) : undefined;
  } catch {
    return undefined;
  }
}

class NamedZone implements TimeZone {
  readonly #format: Intl.DateTimeFormat;
  readonly #offsets = new Map<number, number>();

  /** @throws {RangeError} for a name that the database does not have */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  offsetMsAt(epochMs: number): number {
    const quarter = Math.floor(epochMs / QUARTER_MS);
    const known = this.#offsets.get(quarter);
    if (known !== undefined) return known;
    const startMs = quarter * QUARTER_MS;
    const parts: Record<string, string> = {};
    for (const { type, value } of this.#format.formatToParts(startMs)) parts[type] = value;
    const year = parts["era"] === "BC" ? 1 - Number(parts["year"]) : Number(parts["year"]);
    const local = new Date(0);
    local.setUTCFullYear(year, Number(parts["month"]) - 1, Number(parts["day"]));
    local.setUTCHours(Number(parts["hour"]), Number(parts["minute"]), Number(parts["second"]));
    const offsetMs = local.getTime() - startMs;
    if (this.#offsets.size >= QUARTERS_MAX) this.#offsets.clear();
    this.#offsets.set(quarter, offsetMs);
    return offsetMs;
  }
}

/**
 * The moment at which clocks of the zone show a local time.
 *
 * Clocks set forward skip times, clocks set back show times twice. `compatible` (RFC 5545, section 3.3.5) takes a
 * skipped time as if clocks had not been set, and of two the first; `earlier` and `later` take the moment before or
 * after; `reject` refuses both.
 *
 * @param localMs the local time as milliseconds since 1970, as if it were UTC
 * @throws {ValueFault} with `reject`
 */
export function momentOf(localMs: number, zone: TimeZone, change: ClockChange): number {
  // A day before and after: clocks are not set twice within two days.
  const before = zone.offsetMsAt(localMs - DAY_MS);
  const after = zone.offsetMsAt(localMs + DAY_MS);
  if (before === after) return localMs - before;
  const moments = [before, after].filter((offset) => zone.offsetMsAt(localMs - offset) === offset);
  if (moments.length === 1) return localMs - (moments[0] ?? before);
  const isGap = moments.length === 0;
  if (change === "reject") {
    const reason = isGap ? "does not exist: clocks are set forward" : "exists twice: clocks are set back";
    throw new ValueFault("invalid_value", `the local time ${reason}`);
  }
  const [first, second] = [localMs - Math.max(before, after), localMs - Math.min(before, after)];
  if (change === "earlier") return first;
  if (change === "later") return second;
  return isGap ? second : first;
}
