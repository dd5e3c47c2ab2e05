import { ExactNumber, isDocumentObject } from "../../platform/formats/document.ts";

/** One place where two documents differ; `undefined` where one has nothing there. */
export interface Difference {
  /** JSON pointer, the same in both. */
  pointer: string;
  before: unknown;
  after: unknown;
}

/**
 * Where two documents differ, place by place, at most `max` of them. The order of an object's members does not count.
 */
export function compareDocuments(before: unknown, after: unknown, max: number): Difference[] {
  const found: Difference[] = [];
  compare(before, after, "", found, max);
  return found;
}

function compare(before: unknown, after: unknown, pointer: string, found: Difference[], max: number): void {
  if (found.length >= max || before === after) return;
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    for (let index = 0; index < length && found.length < max; index++)
      compare(before[index], after[index], `${pointer}/${index}`, found, max);
    return;
  }
  if (isDocumentObject(before) && isDocumentObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const at = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      compare(ownMember(before, name), ownMember(after, name), at, found, max);
    }
    return;
  }
  if (before instanceof ExactNumber && after instanceof ExactNumber && before.text === after.text) return;
  found.push({ pointer, before, after });
}

function ownMember(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
