import type { DataKey } from "./data-key.ts";
import type { SealedColumn } from "./sealed-columns.ts";
import { decodeSealed } from "./sealed-format.ts";

/** One sealed text of a column and how it is replaced. */
interface Slot {
  sealed: string;
  path: string | undefined;
  replace(text: string): void;
}

/** What became of a column's value. */
export interface RenewedColumn {
  /** The value to store; the one given when nothing changed. */
  value: unknown;
  renewed: number;
  unreadable: number;
}

/**
 * Puts every secret of a column's value under another data key.
 *
 * @param value text, or the JSON of the column
 * @param options.isOld tells the keys whose secrets are renewed; texts of others, or that only look sealed, stay
 * @param options.reseal opens what is sealed for the path and seals it anew; undefined when it cannot be opened
 */
export async function renewColumn(
  form: SealedColumn["form"],
  value: unknown,
  options: {
    isOld(dataKeyId: DataKey["id"]): boolean;
    reseal(path: string | undefined, sealed: string): Promise<string | undefined>;
  },
): Promise<RenewedColumn> {
  const result: RenewedColumn = { value: structuredClone(value), renewed: 0, unreadable: 0 };
  for (const slot of slotsOf(form, result)) {
    const decoded = decodeSealed(slot.sealed);
    if (decoded === undefined || !options.isOld(decoded.dataKeyId)) continue;
    // oxlint-disable-next-line no-await-in-loop -- the tenant's keys are in memory after the first
    const text = await options.reseal(slot.path, slot.sealed);
    if (text === undefined) result.unreadable++;
    else {
      slot.replace(text);
      result.renewed++;
    }
  }
  return result;
}

function slotsOf(form: SealedColumn["form"], result: { value: unknown }): Slot[] {
  const { value } = result;
  if (form === "text")
    return typeof value === "string"
      ? [{ sealed: value, path: undefined, replace: (text) => (result.value = text) }]
      : [];
  if (form === "list")
    return (value as { sealed: string; expiresAt: string }[]).map((entry) => ({
      sealed: entry.sealed,
      path: entry.expiresAt,
      replace: (text) => (entry.sealed = text),
    }));
  const object = value as Record<string, unknown>;
  return Object.entries(object).flatMap(([name, entry]): Slot[] => {
    const path = `/${name}`;
    if (form === "values")
      return typeof entry === "string"
        ? [{ sealed: entry, path, replace: (text) => (object[name] = text) }]
        : [];
    const field = entry as { sealed?: unknown } | null;
    if (typeof field !== "object" || typeof field?.sealed !== "string") return [];
    return [{ sealed: field.sealed, path, replace: (text) => (field.sealed = text) }];
  });
}
