import { textOf } from "./functions/mapping-function.ts";
import { ExactNumber, isDocumentObject } from "../../../platform/formats/document.ts";
import type { Path, PathStep } from "./path.ts";
import { pointerToken } from "./path.ts";
import type { Scope } from "./scope.ts";
import { ValueFault } from "./value-fault.ts";

/** Reads a value; `undefined` where there is none. */
export type Evaluate = (scope: Scope) => unknown;

/**
 * A path as a closure.
 *
 * @throws (the closure) ValueFault `not_single` where a list of several stands in the way of a path for one value
 */
export function compilePath(path: Path): Evaluate {
  const walk = compileSteps(path.steps);
  if (walk === undefined) return compileHead(path);
  if (path.head === "item") return (scope) => walk(scope.item, scope);
  const head = compileHead(path);
  return (scope) => walk(head(scope), scope);
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Array.isArray(value) ? memberOfSingle(value, name) : (value as Record<string, unknown>)[name];
}

function memberOfSingle(list: readonly unknown[], name: string): unknown {
  const one = single(list, name);
  return typeof one === "object" && one !== null && !Array.isArray(one)
    ? (one as Record<string, unknown>)[name]
    : undefined;
}

function outer(scope: Scope, levels: number): Scope {
  let at = scope;
  for (let level = 0; level < levels; level++) at = at.parent ?? at;
  return at;
}

function compileHead({ head, levels }: Path): Evaluate {
  if (head === "item") return (scope) => scope.item;
  if (head === "root") return (scope) => scope.root;
  if (head === "context") return (scope) => scope.run.context;
  if (head === "index") return (scope) => outer(scope, levels).index;
  if (head === "number") return (scope) => outer(scope, levels).outIndex + 1;
  return (scope) => outer(scope, levels).item;
}

/** True for a path that gives a list, however many elements it finds. */
export function isPlural(steps: readonly PathStep[]): boolean {
  let plural = false;
  let previous: PathStep | undefined;
  for (const step of steps) {
    if (isManyStep(step)) plural = true;
    else if (step.kind === "index" && isManyStep(previous)) plural = false;
    previous = step;
  }
  return plural;
}

type Walk = (value: unknown, scope: Scope) => unknown;
type Getter = (value: unknown) => unknown;

function compileSteps(steps: readonly PathStep[]): Walk | undefined {
  if (steps.length === 0) return undefined;
  const manyAt = steps.findIndex(isManyStep);
  if (manyAt === -1) return compileSingles(steps);
  const many = compileMany(steps.slice(manyAt));
  if (manyAt === 0) return many;
  const first = compileSingles(steps.slice(0, manyAt));
  return (value, scope) => many(first(value), scope);
}

/** Steps that each lead from one value to at most one: no list is made on the way. */
function compileSingles(steps: readonly PathStep[]): Getter {
  if (!steps.every(isPlainStep)) {
    const getters = steps.map((step) =>
      step.kind === "name" ? memberGetter(step.name) : indexGetter((step as { index: number }).index),
    );
    return (value) => getters.reduce((at, getter) => getter(at), value);
  }
  if (steps.length === 0) return (value) => value;
  const keys = steps.map((step) => (step.kind === "name" ? step.name : (step as { index: number }).index));
  const [first, second] = keys;
  // The most frequent ones, without a loop.
  if (keys.length === 1 && typeof first === "string") return (value) => member(value, first);
  if (keys.length === 2 && typeof first === "string" && typeof second === "string")
    return (value) => member(member(value, first), second);
  if (typeof first === "string" && typeof second === "number") {
    const rest = compileSingles(steps.slice(2));
    return (value) => rest(elementAt(member(value, first), second));
  }
  return (value) => {
    let at = value;
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string | number;
      at = typeof key === "number" ? elementAt(at, key) : member(at, key);
    }
    return at;
  };
}

/** Whether a step needs no care: a place of a list, or a name that no object has without holding it as a member. */
function isPlainStep(step: PathStep): boolean {
  return step.kind === "index" || (step.kind === "name" && step.name !== "#text" && !isInherited(step.name));
}

const indexGetter =
  (index: number): Getter =>
  (value) =>
    elementAt(value, index);

/** A place of a list; what is no list is a list of one. */
function elementAt(value: unknown, index: number): unknown {
  if (Array.isArray(value)) return value[index < 0 ? value.length + index : index];
  return (index === 0 || index === -1) && value !== null ? value : undefined;
}

/** Names that an object has without holding them as members. */
const isInherited = (name: string): boolean =>
  name in Object.prototype || name in ExactNumber.prototype || name === "text";

/** One member of an object. A list of one passes for its element; of several it is not clear which is meant. */
function memberGetter(name: string): Getter {
  if (name === "#text") return textGetter;
  if (isInherited(name)) {
    return (value) => {
      const one = Array.isArray(value) ? single(value, name) : value;
      return isDocumentObject(one) && Object.hasOwn(one, name) ? one[name] : undefined;
    };
  }
  return (value) => member(value, name);
}

/** The text of an XML element, which is a bare text when the element has nothing else. */
function textGetter(value: unknown): unknown {
  const one = Array.isArray(value) ? single(value, "#text") : value;
  return isDocumentObject(one) ? (Object.hasOwn(one, "#text") ? one["#text"] : undefined) : one;
}

function single(list: readonly unknown[], name: string): unknown {
  if (list.length <= 1) return list[0];
  throw new ValueFault(
    "not_single",
    `${JSON.stringify(name)} is looked for in a list of ${list.length}; say which by [0] or [?…], or [*] for all`,
  );
}

/** One step from values found so far to the next ones. */
type Advance = (values: readonly unknown[]) => readonly unknown[];

/** Steps of which the first finds many. */
function compileMany(steps: readonly PathStep[]): Walk {
  const isList = isPlural(steps);
  const [first, ...others] = steps;
  const begin = compileBeginning(first as PathStep);
  let isMany = true;
  const advances = others.map((step, index): Advance => {
    const isPick = step.kind === "index" && isManyStep(steps[index]);
    const advance = compileStep(step, isMany, isPick);
    isMany = isPick ? false : isMany || isManyStep(step);
    return advance;
  });
  return (value, scope) => {
    let values = begin(value);
    scope.run.spend(2 + values.length);
    for (const advance of advances) {
      values = advance(values);
      scope.run.spend(1 + values.length);
    }
    return isList ? values : values[0];
  };
}

/** All elements of one list, or those that match. */
function compileBeginning(step: PathStep): (value: unknown) => readonly unknown[] {
  if (step.kind !== "where") return toList;
  const matches = compileTest(step);
  return (value) => {
    const list = toList(value);
    const found: unknown[] = [];
    for (let index = 0; index < list.length; index++) if (matches(list[index])) found.push(list[index]);
    return found;
  };
}

const isManyStep = (step: PathStep | undefined): boolean => step?.kind === "every" || step?.kind === "where";

function compileStep(step: PathStep, isMany: boolean, isPick: boolean): Advance {
  if (step.kind === "name") {
    const getter = memberGetter(step.name);
    return (values) => {
      const found: unknown[] = [];
      for (const value of values) {
        // Among many there is no choice to make: lists inside lists are opened.
        for (const one of isMany && Array.isArray(value) ? value.flat(Infinity) : [value]) {
          const inner = getter(one);
          if (inner !== undefined) found.push(inner);
        }
      }
      return found;
    };
  }
  if (step.kind === "index") {
    const { index } = step;
    if (isPick) return (values) => present(values.at(index));
    return (values) => values.flatMap((value) => present(toList(value).at(index)));
  }
  if (step.kind === "every") return (values) => values.flatMap(toList);
  const matches = compileTest(step);
  return (values) => {
    const found: unknown[] = [];
    for (const value of values) for (const one of toList(value)) if (matches(one)) found.push(one);
    return found;
  };
}

const present = (value: unknown): unknown[] => (value === undefined ? [] : [value]);

function compileTest(step: PathStep & { kind: "where" }): (value: unknown) => boolean {
  const { test, value: wanted, names } = step;
  const get = compileSingles(names.map((name) => ({ kind: "name", name })));
  return (value) => {
    const at = get(value);
    if (test === "exists") return at !== undefined && at !== null && at !== "";
    const isEqual = at === wanted || (at !== undefined && at !== null && textOf(at) === wanted);
    return isEqual === (test === "equals");
  };
}

interface Located {
  value: unknown;
  /** Undefined when pointers are not asked for. */
  pointer: string | undefined;
}

/** All values that steps find, with their pointers when `pointer` (that of the beginning) is given. For faults. */
export function walkPlaces(
  steps: readonly PathStep[],
  value: unknown,
  pointer: string | undefined,
  scope: Scope,
): Located[] {
  let places: Located[] = value === undefined ? [] : [{ value, pointer }];
  let plural = false;
  let previous: PathStep | undefined;
  for (const step of steps) {
    scope.run.spend(1 + places.length);
    if (step.kind === "index" && isManyStep(previous)) {
      places = picked(places, step.index);
      plural = false;
    } else {
      const isMany = plural;
      places = places.flatMap((place) => stepFrom(place, step, isMany));
      plural ||= isManyStep(step);
    }
    previous = step;
  }
  return places;
}

function picked(places: readonly Located[], index: number): Located[] {
  const place = places.at(index);
  return place === undefined ? [] : [place];
}

function stepFrom(place: Located, step: PathStep, isMany: boolean): Located[] {
  if (step.kind === "name") {
    return (isMany ? opened(place) : [place]).flatMap((one) => memberOf(one, step.name));
  }
  const all = elements(place);
  if (step.kind === "every") return all;
  if (step.kind === "index") return picked(all, step.index);
  const matches = compileTest(step);
  return all.filter((one) => matches(one.value));
}

function opened(place: Located): Located[] {
  return Array.isArray(place.value) ? elements(place).flatMap(opened) : [place];
}

/** Elements of a list; what is no list is a list of one. `null` is an absent list. */
function elements(place: Located): Located[] {
  if (place.value === null || place.value === undefined) return [];
  if (!Array.isArray(place.value)) return [place];
  return place.value.map((value: unknown, index) => ({
    value,
    pointer: place.pointer === undefined ? undefined : place.pointer + pointerToken(index),
  }));
}

function memberOf(place: Located, name: string): Located[] {
  const value = memberGetter(name)(place.value);
  if (value === undefined) return [];
  if (place.pointer === undefined) return [{ value, pointer: undefined }];
  const list = Array.isArray(place.value) ? pointerToken(0) : "";
  const one: unknown = Array.isArray(place.value) ? place.value[0] : place.value;
  const token = isDocumentObject(one) ? pointerToken(name) : "";
  return [{ value, pointer: place.pointer + list + token }];
}

/**
 * JSON pointer of what a path means in the input: of the value, or where there is none, of where it would stand.
 *
 * @returns undefined where the path does not lead into the input
 */
export function locatePath(path: Path, scope: Scope): string | undefined {
  const base = headPointer(path, scope);
  if (base === undefined) return undefined;
  const start = path.head === "root" ? scope.root : outer(scope, path.levels).item;
  for (let length = path.steps.length; length >= 0; length--) {
    const found = placesOrNone(path.steps.slice(0, length), start, base, scope)[0]?.pointer;
    if (found === undefined) continue;
    const rest = path.steps.slice(length);
    const isPlain = rest.every((step) => step.kind === "name" || (step.kind === "index" && step.index >= 0));
    return isPlain ? found + rest.map(stepToken).join("") : found;
  }
  return base;
}

function placesOrNone(steps: readonly PathStep[], value: unknown, pointer: string, scope: Scope): Located[] {
  try {
    return walkPlaces(steps, value, pointer, scope);
  } catch (error) {
    if (error instanceof ValueFault) return [];
    throw error;
  }
}

function stepToken(step: PathStep): string {
  return step.kind === "name"
    ? pointerToken(step.name)
    : step.kind === "index"
      ? pointerToken(step.index)
      : "";
}

function headPointer({ head, levels }: Path, scope: Scope): string | undefined {
  if (head === "context" || head === "index" || head === "number") return undefined;
  if (head === "root") {
    let at = scope;
    while (at.parent !== undefined && at.parent.root === scope.root) at = at.parent;
    return at.locate();
  }
  return outer(scope, levels).locate();
}

/** JSON pointer of one element of the list that a path gives. */
export function locateElement(path: Path, scope: Scope, index: number): string | undefined {
  const base = headPointer(path, scope);
  if (base === undefined) return undefined;
  const start = path.head === "root" ? scope.root : outer(scope, path.levels).item;
  const places = placesOrNone(path.steps, start, base, scope);
  if (isPlural(path.steps)) return places[index]?.pointer;
  const list = places[0];
  return list !== undefined && Array.isArray(list.value) ? list.pointer + pointerToken(index) : list?.pointer;
}

/** A list for `each` and `group`: elements of a list; a single value is a list of one; nothing and null are empty. */
export function toList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return value === undefined || value === null ? [] : [value];
}
