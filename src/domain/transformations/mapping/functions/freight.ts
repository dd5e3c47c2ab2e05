import { shown } from "../date-text.ts";
import type { Decimal } from "../decimal.ts";
import { add, divide, multiply, parseDecimal, round, subtract, toNumber } from "../decimal.ts";
import timeZones from "../freight/time-zones.json" with { type: "json" };
import units from "../freight/units.json" with { type: "json" };
import { ValueFault } from "../value-fault.ts";
import { type MappingFunctions, optional, required } from "./mapping-function.ts";

interface Unit {
  code: string;
  dimension: string;
  /** To the base unit of the dimension: `numerator / denominator`, exact. */
  numerator: Decimal;
  denominator: Decimal;
  /** Added before the factor: scales of temperature begin at different points. */
  offset: Decimal;
}

const ZERO: Decimal = { digits: 0n, scale: 0 };
const ONE: Decimal = { digits: 1n, scale: 0 };
/** Places of a converted quantity that nobody asked for otherwise. */
const PLACES = 6;

const UNITS = readUnits();

/** By code as written; by name in small letters. A code stands before a name: `CF` is cubic feet. */
function readUnits(): ReadonlyMap<string, Unit> {
  const found = new Map<string, Unit>();
  for (const [code, entry] of Object.entries(units.units)) {
    const [numerator = "1", denominator = "1"] = entry.factor.split("/");
    const unit: Unit = {
      code,
      dimension: entry.dimension,
      numerator: parseDecimal(numerator) ?? ONE,
      denominator: parseDecimal(denominator) ?? ONE,
      offset: parseDecimal("offset" in entry ? entry.offset : "0") ?? ZERO,
    };
    for (const name of [code, ...entry.names]) {
      found.set(name, unit);
      if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), unit);
    }
  }
  return found;
}

/** @throws {ValueFault} for a unit that is not in the table */
function unitOf(name: unknown): Unit {
  const text = (name as string).trim();
  const unit = UNITS.get(text) ?? UNITS.get(text.toLowerCase());
  if (unit !== undefined) return unit;
  throw new ValueFault("unknown_value", `${shown(text)} is no unit as in LBR, LB, lb, KGM, kg, SMI, mi`);
}

function convertUnit(value: Decimal, from: Unit, to: Unit, places: number): Decimal {
  if (from.dimension !== to.dimension)
    throw new ValueFault(
      "invalid_value",
      `${from.code} is a unit of ${from.dimension}, ${to.code} of ${to.dimension}`,
    );
  const dividend = multiply(multiply(add(value, from.offset), from.numerator), to.denominator);
  const divisor = multiply(from.denominator, to.numerator);
  const exact = divide(dividend, divisor, Math.max(0, places) + 4, "half_even");
  return round(subtract(exact, to.offset), places, "half_up");
}

function zoneOfPlace(country: string, region: string, postalCode: string): string | undefined {
  const land = country.trim().toUpperCase();
  const code = region.trim().toUpperCase();
  const part = code.startsWith(`${land}-`) ? code.slice(land.length + 1) : code;
  const regions = timeZones.regions as Record<string, Record<string, string>>;
  const prefixes = timeZones.postalPrefixes as Record<string, Record<string, string>>;
  const byPostalCode = own(own(prefixes, land), postalCode.trim().slice(0, 3));
  return (
    byPostalCode ?? own(own(regions, land), part) ?? own(timeZones.countries as Record<string, string>, land)
  );
}

function own<T>(table: Record<string, T> | undefined, name: string): T | undefined {
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}

/** What carriers write into free text beside the commodity: numbers and classes of the classification. */
const NMFC = /\b(?:NMFC|ITEM)\s*(?:ITEM|NO\.?|NUMBER|#)?\s*[:#]?\s*(\d{3,6}(?:-\d{1,2})?)/i;
const FREIGHT_CLASS =
  /\b(?:FREIGHT\s+)?(?:CLASS|CLS|CL)\s*[:#]?\s*(500|400|300|250|200|175|150|125|110|100|92\.5|85|77\.5|70|65|60|55|50)(?![\d.]*\d)/i;

function freightText(text: string): Record<string, string> {
  const parts: Record<string, string> = {};
  const nmfc = NMFC.exec(text)?.[1];
  const freightClass = FREIGHT_CLASS.exec(text)?.[1];
  const description = text
    .replace(NMFC, " ")
    .replace(FREIGHT_CLASS, " ")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/^[\s,;:/()-]+|[\s,;:/(-]+$/g, "");
  if (description !== "") parts["description"] = description;
  if (nmfc !== undefined) parts["nmfcItem"] = nmfc;
  if (freightClass !== undefined) parts["freightClass"] = freightClass;
  return parts;
}

/** Functions of freight: units, places, text of commodities. Its code lists are lookup tables. */
export const FREIGHT_FUNCTIONS: MappingFunctions = {
  convertUnit: {
    summary:
      "A quantity in another unit (UN/ECE recommendation 20, X12 element 355, or a name), to 6 places unless told",
    parameters: [
      required("quantity", "decimal"),
      required("from", "text"),
      required("to", "text"),
      optional("places", "integer"),
    ],
    make: (constants) => {
      const [, from, to] = constants;
      if (typeof from === "string") unitOf(from);
      if (typeof to === "string") unitOf(to);
      return (args) => {
        const places = (args[3] as number | undefined) ?? PLACES;
        if (Math.abs(places) > 30) throw new ValueFault("invalid_value", "places go from -30 to 30");
        return toNumber(convertUnit(args[0] as Decimal, unitOf(args[1]), unitOf(args[2]), places));
      };
    },
  },
  unitCode: {
    summary: "The code of a unit in UN/ECE recommendation 20: lb, LB or pounds → LBR",
    parameters: [required("unit", "text")],
    make: () => (args) => unitOf(args[0]).code,
  },
  zoneOf: {
    summary:
      "The time zone of a place by country (ISO 3166), region and postal code; missing where it is not clear",
    parameters: [required("country", "text"), optional("region", "text"), optional("postalCode", "text")],
    make: () => (args) => {
      const [country, region = "", postalCode = ""] = args as [string, string?, string?];
      return zoneOfPlace(country, region, postalCode);
    },
  },
  freightText: {
    summary:
      "Free text of a commodity as { description, nmfcItem, freightClass }: classification taken out of the words",
    parameters: [required("text", "text")],
    make: () => (args) => freightText((args[0] as string).slice(0, 2_000)),
  },
};
