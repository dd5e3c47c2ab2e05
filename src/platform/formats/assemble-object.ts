/** Makes an object of values at the places of its names; those that are `undefined` are left out. */
export type Assembler = (values: readonly unknown[]) => Record<string, unknown> | undefined;

/** Written out, an object of more names is longer than the engine optimises. */
const NAMES_MAX = 64;
/** Strangers name what their templates write: so many lists of names are remembered, the others go the slow way. */
const ASSEMBLERS_MAX = 2_000;

const assemblers = new Map<string, Assembler>();

/** The assembler of names that strangers choose: one for all lists that are the same. */
export function assemblerOf(names: readonly string[]): Assembler {
  const key = JSON.stringify(names);
  const known = assemblers.get(key);
  if (known !== undefined) return known;
  const isWritable = names.length <= NAMES_MAX && !names.includes("__proto__");
  if (!isWritable || assemblers.size >= ASSEMBLERS_MAX) return plainAssembler(names);
  const assembler = writeAssembler(names);
  assemblers.set(key, assembler);
  return assembler;
}

/**
 * A function that writes members of these names in this order, and gives `undefined` where no value is there. Written
 * out as a program for its names it takes a third of the time that members by a variable name take: each member then has
 * a place of its own in the code, at which the engine learns it. Names enter that program as literals of JSON only, which
 * are literals of the language too (ECMA-262, 2019).
 */
export function writeAssembler(names: readonly string[]): Assembler {
  const members = names.map(
    (name, index) =>
      `value = values[${index}]; if (value !== undefined) { object ??= {}; object[${JSON.stringify(name)}] = value; }`,
  );
  return new Function(
    "values",
    ["let object; let value;", ...members, "return object;"].join("\n"),
  ) as Assembler;
}

function plainAssembler(names: readonly string[]): Assembler {
  return (values) => {
    let object: Record<string, unknown> | undefined;
    for (let index = 0; index < names.length; index++) {
      const value = values[index];
      if (value === undefined) continue;
      object ??= {};
      object[names[index]!] = value;
    }
    return object;
  };
}
