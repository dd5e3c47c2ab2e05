import { DATE_FUNCTIONS } from "./dates.ts";
import { FREIGHT_FUNCTIONS } from "./freight.ts";
import { IDENTIFIER_FUNCTIONS } from "./identifiers.ts";
import { LIST_FUNCTIONS } from "./lists.ts";
import { LOGIC_FUNCTIONS } from "./logic.ts";
import type { MappingFunction } from "./mapping-function.ts";
import { NUMBER_FUNCTIONS } from "./numbers.ts";
import { TEXT_FUNCTIONS } from "./text.ts";

/** Every function that rules can call, by name. */
export const FUNCTIONS: ReadonlyMap<string, MappingFunction> = new Map(
  [
    TEXT_FUNCTIONS,
    NUMBER_FUNCTIONS,
    DATE_FUNCTIONS,
    LIST_FUNCTIONS,
    LOGIC_FUNCTIONS,
    IDENTIFIER_FUNCTIONS,
    FREIGHT_FUNCTIONS,
  ].flatMap((functions) => Object.entries(functions)),
);

/** Names of functions, for people: `padStart(text, width, filler?)`. */
export function signatureOf(name: string, { parameters, rest }: MappingFunction): string {
  const list = parameters.map((parameter) => parameter.name + (parameter.optional ? "?" : ""));
  return `${name}(${list.join(", ")}${rest ? ", …" : ""})`;
}
