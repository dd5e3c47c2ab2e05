import { SaxesParser } from "saxes";
import type { TextRange } from "./json-ranges.ts";

/** One value under an XML path: decoded text, and where its source stands. */
export interface XmlValue extends TextRange {
  value: string;
}

/** Deeper documents are refused: partners' messages have a dozen levels, an attack has thousands. */
const DEPTH_MAX = 256;

/** What an XML path looks like: element names from the root, and at the end perhaps one attribute. */
export const XML_PATH = /^(\/[A-Za-z_][\w.-]*)+(\/@[A-Za-z_][\w.-]*)?$/;

/**
 * Finds the text of an element, or an attribute, under a path like `/Envelope/Body/notifications/OrganizationId`.
 * Prefixes of namespaces are ignored on both sides, because a sender may choose them. Of an element with children only
 * its own text counts. A DOCTYPE is refused, so no entity can be declared.
 *
 * @returns the values in document order, or undefined when the text is not well-formed XML
 */
export function findXmlValues(text: string, path: string): XmlValue[] | undefined {
  const steps = path.slice(1).split("/");
  const attribute = steps.at(-1)!.startsWith("@") ? steps.pop()!.slice(1) : undefined;
  const found: XmlValue[] = [];
  const parser = new SaxesParser<{ xmlns?: false; position: true }>({ position: true });
  let depth = 0;
  /** How many leading steps the open elements match. */
  let matched = 0;
  let open: XmlValue | undefined;
  let tagStart = 0;
  parser.on("doctype", () => parser.fail("A DOCTYPE is not accepted"));
  parser.on("opentagstart", () => {
    tagStart = text.lastIndexOf("<", parser.position - 1);
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (++depth > DEPTH_MAX) parser.fail("The document is too deep");
    if (matched !== depth - 1 || steps[matched] !== localName(name)) return;
    if (++matched !== steps.length) return;
    if (attribute === undefined) {
      open = { value: "", start: parser.position, end: parser.position };
      return;
    }
    for (const range of attributeRanges(text.slice(tagStart, parser.position))) {
      if (localName(range.name) !== attribute) continue;
      found.push({
        value: attributes[range.name]!,
        start: tagStart + range.start,
        end: tagStart + range.end,
      });
    }
  });
  const addText = (piece: string) => {
    if (open !== undefined && depth === steps.length) open.value += piece;
  };
  parser.on("text", addText);
  parser.on("cdata", addText);
  parser.on("closetag", () => {
    if (matched === depth) {
      if (open !== undefined && depth === steps.length) {
        // An empty-element tag has no closing tag to look back to.
        found.push({ ...open, end: Math.max(open.start, text.lastIndexOf("<", parser.position - 1)) });
        open = undefined;
      }
      matched--;
    }
    depth--;
  });
  try {
    parser.write(text).close();
  } catch {
    return undefined;
  }
  return found;
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

/** The attributes of one start tag, and where their values stand between the quotes. */
function attributeRanges(tag: string): { name: string; start: number; end: number }[] {
  return [...tag.matchAll(/\s([^\s=<>"']+)\s*=\s*("[^"]*"|'[^']*')/g)].map((hit) => {
    const end = hit.index + hit[0].length - 1;
    return { name: hit[1]!, start: end - (hit[2]!.length - 2), end };
  });
}
