import type { DocumentObject, DocumentValue } from "../document.ts";
import { FormatError, type ParseOutcome, type Place } from "../fault.ts";
import { tooLarge, type FormatLimits } from "../limits.ts";
import { parsePointer } from "../pointer.ts";
import type { XmlSettings } from "../settings.ts";
import { placeAt, type SourceText } from "../source-text.ts";
import { decodeXml } from "./decode-xml.ts";
import { ATTRIBUTE, contentOf, groupContent, ORDER, type ContentPiece } from "./element-value.ts";
import { XmlReader } from "./xml-reader.ts";

/**
 * Reads XML into a document `{ <root>: value }`; see `elementValue` for the form of values. Nothing of it is lost but
 * layout between elements and, unless the settings keep them, comments and processing instructions.
 */
export function parseXmlDocument(
  bytes: Uint8Array,
  settings: XmlSettings,
  limits: FormatLimits,
): ParseOutcome {
  if (bytes.byteLength > limits.bytesMax) return { ok: false, faults: [tooLarge(bytes.byteLength, limits)] };
  const decoded = decodeXml(bytes, settings.encoding);
  if (!decoded.ok) return decoded;
  const { source } = decoded;
  try {
    const pieces = readPieces(source.text, settings, limits, false);
    const document = groupContent({}, pieces, "", { arrays: new Set(settings.arrays) });
    return { ok: true, document, place: (pointer) => findPlace(source, document, settings, limits, pointer) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { ok: false, faults: [{ ...error.fault, ...placeAt(source, error.index) }] };
  }
}

/** The root element and, when they are kept, the comments and instructions around it. */
function readPieces(
  text: string,
  settings: XmlSettings,
  limits: FormatLimits,
  withPlaces: boolean,
): ContentPiece[] {
  const pieces: ContentPiece[] = [];
  const sink = {
    element: (name: string, value: DocumentValue, element: ContentPiece["element"]): void => {
      pieces.push({ name, value, at: element!.at, element: element! });
    },
    outside: (piece: ContentPiece): void => {
      pieces.push(piece);
    },
  };
  const reader = new XmlReader(settings, limits, "", sink, withPlaces ? text : undefined);
  reader.write(text);
  reader.close();
  return pieces;
}

/** Walks the values and the pieces that they were made of side by side. */
function findPlace(
  source: SourceText,
  document: DocumentObject,
  settings: XmlSettings,
  limits: FormatLimits,
  pointer: string,
): Place | undefined {
  const tokens = parsePointer(pointer);
  if (tokens === undefined) return undefined;
  let value: DocumentValue | undefined = document;
  let pieces = readPieces(source.text, settings, limits, true);
  let at = pieces.find(({ element }) => element !== undefined)?.at ?? 0;
  let attributes: { name: string; at: number }[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const name = tokens[index]!;
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name]!;
    if (name.startsWith(ATTRIBUTE)) {
      const attribute = attributes.find((candidate) => ATTRIBUTE + candidate.name === name);
      return index === tokens.length - 1 && attribute !== undefined
        ? placeAt(source, attribute.at)
        : undefined;
    }
    if (name === ORDER) return placeAt(source, at);
    const named: ContentPiece[] = pieces.filter((piece) => piece.name === name);
    let piece = named[0];
    if (Array.isArray(value) && index + 1 < tokens.length) {
      index++;
      const token = tokens[index]!;
      piece = /^(?:0|[1-9]\d*)$/.test(token) ? named[Number(token)] : undefined;
      value = value[Number(token)];
    }
    if (piece === undefined || value === undefined) return undefined;
    at = piece.at;
    pieces = piece.element === undefined ? [] : contentOf(piece.element);
    attributes = piece.element?.attributes ?? [];
  }
  return placeAt(source, at);
}

function isObject(value: DocumentValue | undefined): value is DocumentObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
