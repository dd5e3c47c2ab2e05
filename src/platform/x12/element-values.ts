import type { Separators } from "./model.ts";
import type { PlaceRule } from "./tables/table-notation.ts";

/** An element as JSON: text, a composite's components by id, or its repetitions. */
export type ReadableValue = string | ReadableComposite | (string | ReadableComposite)[];
export type ReadableComposite = { [component: string]: string };

/** `B204` from `B2` and 4; `AK401-02` for component 2. */
export function elementKey(segmentId: string, element: number, component?: number): string {
  const key = `${segmentId}${twoDigits(element)}`;
  return component === undefined ? key : `${key}-${twoDigits(component)}`;
}

function twoDigits(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

/**
 * Takes an element's raw value apart as far as its table says: repetitions where it may be repeated, components where it
 * is a composite. Without a rule the separators alone decide. A separator in an element that the table knows as simple is
 * left in the text: free text with a colon stays readable (the check of the set names it as a fault).
 */
export function splitElement(
  raw: string,
  key: string,
  rule: PlaceRule | null,
  separators: Separators,
): ReadableValue {
  if (rule !== null && rule.repeatMax === 1 && rule.components === null) return raw;
  const { repetition } = separators;
  const repeats = repetition !== null && raw.includes(repetition);
  if (rule === null ? repeats : rule.repeatMax > 1) {
    const parts = repeats ? raw.split(repetition!) : [raw];
    return parts.map((part) => splitComponents(part, key, rule, separators));
  }
  return splitComponents(raw, key, rule, separators);
}

function splitComponents(
  raw: string,
  key: string,
  rule: PlaceRule | null,
  separators: Separators,
): string | ReadableComposite {
  const composite = rule === null ? raw.includes(separators.component) : rule.components !== null;
  if (!composite) return raw;
  const parts = raw.split(separators.component);
  const value: ReadableComposite = {};
  for (const [index, part] of parts.entries()) {
    // A last empty component is kept: it is what makes the separator before it come back.
    if (part !== "" || (index === parts.length - 1 && index > 0))
      value[`${key}-${twoDigits(index + 1)}`] = part;
  }
  return value;
}

/** The values of an element, repetition by repetition and component by component, whatever a table says. */
export function elementValues(raw: string, separators: Separators): string[][] {
  const parts = separators.repetition === null ? [raw] : raw.split(separators.repetition);
  return parts.map((part) => part.split(separators.component));
}
