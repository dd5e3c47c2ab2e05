import type { Separators } from "./model.ts";
import { asArray, asObject, asText, InputRefusal } from "./readable-input.ts";
import { findSet } from "./tables/find-set.ts";
import type { LoopUse, SegmentUse } from "./tables/set-table.ts";

/** Elements and components of all segments together, empty ones too: a key such as K1999999 asks for that many. */
const ELEMENTS_MAX = 2_000_000;

/** A segment as raw elements, and the pointer of the JSON that it comes from. */
export interface FlatSegment {
  elements: string[];
  pointer: string;
}

/**
 * Makes segments of readable JSON, in the order of the set's table.
 *
 * Every method throws InputRefusal, with the pointer, for JSON of another form and for values that X12 cannot express.
 */
export class Flattener {
  readonly #separators: Separators;
  readonly #forbidden: readonly string[];
  #elementsLeft = ELEMENTS_MAX;

  /** @param forbidden what no value may hold */
  constructor(separators: Separators, forbidden: readonly string[]) {
    this.#separators = separators;
    this.#forbidden = forbidden;
  }

  /** A set or its body: loops and segments by name, or `segments`. */
  set(body: { [key: string]: unknown }, code: string, pointer: string): FlatSegment[] {
    if (body["segments"] !== undefined) return this.list(body["segments"], `${pointer}/segments`);
    const table = findSet(code);
    if (table === null) {
      const message = `There is no table for set ${code}: give its \`segments\``;
      throw new InputRefusal("input_invalid", pointer, message);
    }
    const out: FlatSegment[] = [];
    this.#loop(body, table.root, pointer, out);
    return out;
  }

  /** Segments of a list `[{ "id": "B2", "B202": … }]`. */
  list(list: unknown, pointer: string): FlatSegment[] {
    return asArray(list, pointer).map((item, index) => {
      const at = `${pointer}/${index}`;
      const { id, ...elements } = asObject(item, at);
      return this.segment(asText(id, `${at}/id`), elements, at);
    });
  }

  segment(id: string, value: unknown, pointer: string): FlatSegment {
    this.#check(id, `${pointer}/id`, this.#forbidden);
    // The last element of ISA is the component separator, and a broken ISA may hold its own terminator.
    const forbidden = id === "ISA" ? [this.#separators.element] : this.#forbidden;
    const elements = [id];
    for (const [key, raw] of Object.entries(asObject(value, pointer))) {
      const place = key.startsWith(id) ? readPlace(key.slice(id.length)) : null;
      const at = `${pointer}/${key}`;
      if (place === null) {
        throw new InputRefusal("input_invalid", at, `${key} is not an element of ${id}, such as ${id}01`);
      }
      this.#fill(elements, place, at);
      elements[place] = isBinary(id, place) ? asText(raw, at) : this.#element(raw, key, at, forbidden);
    }
    return { elements, pointer };
  }

  /** Depth is the table's, not the input's: names that the table does not have are refused. */
  #loop(body: { [key: string]: unknown }, use: LoopUse, pointer: string, out: FlatSegment[]): void {
    const names = new Set(use.children.map(nameOf));
    const unknown = Object.keys(body).find((name) => !names.has(name));
    if (unknown !== undefined) {
      const where = use.id === "" ? "the set" : `loop ${use.id}`;
      throw new InputRefusal("input_invalid", `${pointer}/${unknown}`, `${unknown} has no place in ${where}`);
    }
    for (const child of use.children) {
      const name = nameOf(child);
      const value = body[name];
      if (value === undefined) continue;
      const items = Array.isArray(value) ? (value as unknown[]) : [value];
      for (const [index, item] of items.entries()) {
        const at = Array.isArray(value) ? `${pointer}/${name}/${index}` : `${pointer}/${name}`;
        if (child.kind === "segment") out.push(this.segment(child.id, item, at));
        else this.#loop(asObject(item, at), child, at, out);
      }
    }
  }

  #element(value: unknown, key: string, pointer: string, forbidden: readonly string[]): string {
    if (!Array.isArray(value)) return this.#components(value, key, pointer, forbidden);
    const { repetition } = this.#separators;
    if (repetition === null && value.length > 1) {
      const message = "The interchange has no repetition separator";
      throw new InputRefusal("repetition_unexpected", pointer, message);
    }
    return value
      .map((item, index) => this.#components(item, key, `${pointer}/${index}`, forbidden))
      .join(repetition ?? "");
  }

  #components(value: unknown, key: string, pointer: string, forbidden: readonly string[]): string {
    if (typeof value !== "object" || value === null) {
      const text = asText(value, pointer);
      this.#check(text, pointer, forbidden);
      return text;
    }
    const parts: string[] = [];
    for (const [name, raw] of Object.entries(asObject(value, pointer))) {
      const place = name.startsWith(`${key}-`) ? readPlace(name.slice(key.length + 1)) : null;
      const at = `${pointer}/${name}`;
      if (place === null) {
        throw new InputRefusal("input_invalid", at, `${name} is not a component such as ${key}-01`);
      }
      this.#fill(parts, place - 1, at);
      const text = asText(raw, at);
      this.#check(text, at, [...forbidden, this.#separators.component]);
      parts[place - 1] = text;
    }
    return parts.join(this.#separators.component);
  }

  /** Makes room for the value at `place`. */
  #fill(values: string[], place: number, pointer: string): void {
    this.#elementsLeft -= Math.max(0, place + 1 - values.length);
    if (this.#elementsLeft < 0)
      throw new InputRefusal("input_invalid", pointer, "There are too many elements");
    while (values.length <= place) values.push("");
  }

  #check(text: string, pointer: string, forbidden: readonly string[]): void {
    if (!forbidden.some((separator) => text.includes(separator))) return;
    const message = "The value holds a separator, which X12 cannot express";
    throw new InputRefusal("separator_in_data", pointer, message, text);
  }
}

function nameOf(use: SegmentUse | LoopUse): string {
  return use.kind === "segment" ? use.id : `loop${use.id}`;
}

function isBinary(id: string, place: number): boolean {
  return (id === "BIN" && place === 2) || (id === "BDS" && place === 3);
}

function readPlace(digits: string): number | null {
  const place = /^\d{2,7}$/.test(digits) ? Number(digits) : 0;
  return place >= 1 ? place : null;
}
