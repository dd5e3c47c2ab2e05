import { getPointer } from "../../platform/json/pointer.ts";
import type { InputField } from "./manifest-schema.ts";

/** A value that a field may take, and what people know it by. */
export interface FieldOption {
  value: string;
  label: string;
}

const OPTIONS_MAX = 500;
const LABEL_MAX = 200;

/** The values that the provider offers for a field; undefined when the answer holds no list. */
export function readOptions(
  options: NonNullable<InputField["options"]>,
  document: unknown,
): FieldOption[] | undefined {
  const items = getPointer(document, options.items);
  if (!Array.isArray(items)) return undefined;
  const found = new Map<string, FieldOption>();
  for (const item of items.slice(0, OPTIONS_MAX)) {
    const value = textOf(getPointer(item, options.value));
    if (value === undefined) continue;
    const label = textOf(getPointer(item, options.label)) ?? value;
    found.set(value, { value, label: label.slice(0, LABEL_MAX) });
  }
  return [...found.values()];
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}
