import equipment from "./freight/equipment.json" with { type: "json" };
import loadStatus from "./freight/load-status.json" with { type: "json" };
import x12Codes from "./freight/x12-codes.json" with { type: "json" };

/** One lookup table: text in the source → value. */
export type LookupTable = Readonly<Record<string, unknown>>;

/** Tables of the library by name: `loadStatus.fromX12`, `equipment.fromName`, `x12.reference` … */
export const LIBRARY_TABLES: ReadonlyMap<string, LookupTable> = new Map([
  ...tablesOf("loadStatus", loadStatus),
  ...tablesOf("equipment", equipment),
  ...tablesOf("x12", x12Codes),
]);

function tablesOf(file: string, content: object): [string, LookupTable][] {
  return Object.entries(content).flatMap(([name, table]: [string, unknown]) => {
    if (typeof table !== "object" || table === null) return [];
    const entries = Object.entries(table).filter(([key]) => key !== "about");
    return [[`${file}.${name}`, Object.fromEntries(entries)] as [string, LookupTable]];
  });
}
