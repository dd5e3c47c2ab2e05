import type { DocumentObject, DocumentValue } from "../document.ts";
import { isBlank } from "./xml-characters.ts";

/** Names of members that are no elements; no XML name begins with `#` or `@`. */
export const TEXT = "#text";
export const COMMENT = "#comment";
export const INSTRUCTION = "#instruction";
export const ORDER = "#order";
export const ATTRIBUTE = "@";

/** One piece of an element's content, in the order of the document. */
export interface ContentPiece {
  /** Name of an element, or one of the names above. */
  name: string;
  value: DocumentValue;
  /** Index of its first character. */
  at: number;
  /** Where its own parts stand; kept only when a place is looked for. */
  element?: XmlElement;
}

/** An element while it is read. */
export interface XmlElement {
  name: string;
  /** JSON pointer of names from the root. */
  path: string;
  at: number;
  attributes: { name: string; value: string; at: number }[];
  content: ContentPiece[];
  /** White space is data here: by the settings, or by xml:space. */
  preserve: boolean;
}

export interface ValueRules {
  /** Paths of elements that are always arrays. */
  arrays: ReadonlySet<string>;
}

/**
 * The value of an element that was read:
 *
 * - nothing but text: the string;
 * - otherwise an object: attributes as `@name`, elements by their names (several of one name are an array), text as
 *   `#text` (several pieces are an array);
 * - `#order` names the pieces in their order where grouping them by name would change it.
 */
export function elementValue(element: XmlElement, rules: ValueRules): DocumentValue {
  const content = contentOf(element);
  if (element.attributes.length === 0) {
    if (content.length === 0) return "";
    if (content.length === 1 && content[0]!.name === TEXT) return content[0]!.value;
  }
  const object: DocumentObject = {};
  for (const { name, value } of element.attributes) object[ATTRIBUTE + name] = value;
  return groupContent(object, content, element.path, rules);
}

/** The pieces that count: white space between elements is layout, unless it is wanted or stands beside other text. */
export function contentOf(element: XmlElement): ContentPiece[] {
  const { content, preserve } = element;
  if (preserve || !content.some(({ name }) => name !== TEXT)) return content;
  const isMixed = content.some(({ name, value }) => name === TEXT && !isBlank(value as string));
  return isMixed ? content : content.filter(({ name }) => name !== TEXT);
}

/** Adds the pieces to an object by their names, and `#order` where it is needed. */
export function groupContent(
  object: DocumentObject,
  content: readonly ContentPiece[],
  path: string,
  rules: ValueRules,
): DocumentObject {
  let isGrouped = true;
  let previous: string | undefined;
  for (const { name, value } of content) {
    const isKnown = Object.hasOwn(object, name);
    if (isKnown && name !== previous) isGrouped = false;
    if (!isKnown) {
      object[name] = rules.arrays.size > 0 && rules.arrays.has(`${path}/${name}`) ? [value] : value;
    } else {
      const earlier = object[name]!;
      if (Array.isArray(earlier)) earlier.push(value);
      else object[name] = [earlier, value];
    }
    previous = name;
  }
  if (!isGrouped) object[ORDER] = content.map(({ name }) => name);
  return object;
}
