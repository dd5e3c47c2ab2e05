import { SaxesParser, type SaxesAttributeNS, type SaxesTagNS } from "saxes";
import type { DocumentValue } from "../document.ts";
import { FormatError, type FormatFaultCode } from "../fault.ts";
import type { FormatLimits } from "../limits.ts";
import { appendPointer } from "../pointer.ts";
import type { XmlSettings } from "../settings.ts";
import {
  COMMENT,
  elementValue,
  INSTRUCTION,
  TEXT,
  type ContentPiece,
  type XmlElement,
} from "./element-value.ts";
import { XmlNames, xmlNamespaces } from "./xml-names.ts";

/** What a reader hands over. */
export interface XmlSink {
  /** An element that the reader was asked for, whole. */
  element(name: string, value: DocumentValue, element: XmlElement): void;
  /** A comment or processing instruction outside the root, when they are kept. */
  outside?(piece: ContentPiece): void;
}

/**
 * Reads XML 1.0 and 1.1 with namespaces through saxes and builds the values of the elements it is asked for. Refuses
 * document type declarations, and what is over the limits, at the first character that shows it.
 */
export class XmlReader {
  readonly #parser = new SaxesParser({ xmlns: true, position: true });
  readonly #limits: FormatLimits;
  readonly #names: XmlNames;
  readonly #arrays: ReadonlySet<string>;
  readonly #keepsComments: boolean;
  readonly #keepsSpace: boolean;
  readonly #readsNil: boolean;
  readonly #wanted: string;
  readonly #sink: XmlSink;
  readonly #keepsPlaces: boolean;
  /** Names of the open elements outside a wanted one, as a pointer. */
  #path = "";
  #depth = 0;
  /** The wanted element and the open ones inside it. */
  readonly #open: XmlElement[] = [];
  #values = 0;
  #tagAt = 0;
  /** Behind the last tag, comment or instruction. */
  #markupEnd = 0;
  #attributesAt: number[] = [];
  /** What was written behind the last markup, until the root begins. */
  #prolog: string | null = "";
  /** What was written last, and the index of its first character. */
  #chunk = "";
  #chunkFrom = 0;

  /**
   * @param wanted JSON pointer of the names down to the elements that are handed over; `""` for the root
   * @param placesOf the whole text, when places of parts are wanted
   */
  constructor(settings: XmlSettings, limits: FormatLimits, wanted: string, sink: XmlSink, placesOf?: string) {
    this.#limits = limits;
    this.#names = new XmlNames(xmlNamespaces(settings));
    this.#arrays = new Set(settings.arrays);
    this.#keepsComments = settings.comments === "keep";
    this.#keepsSpace = settings.whitespace === "keep";
    this.#readsNil = settings.nulls === "nil";
    this.#wanted = wanted;
    this.#sink = sink;
    this.#keepsPlaces = placesOf !== undefined;
    const parser = this.#parser;
    parser.on("error", (error) => this.#refuseSyntax(error.message));
    parser.on("xmldecl", () => (this.#markupEnd = parser.position));
    parser.on("doctype", () => this.#refuseDoctype());
    parser.on("opentagstart", ({ name }) => {
      this.#tagAt = parser.position - name.length - 2;
      this.#attributesAt = [];
    });
    parser.on("opentag", (tag) => this.#openTag(tag));
    parser.on("closetag", () => this.#closeTag());
    parser.on("text", (text) => this.#addText(text));
    parser.on("cdata", (text) => this.#addText(text));
    parser.on("comment", (text) => this.#addPiece(COMMENT, text, "<!--", "-->"));
    parser.on("processinginstruction", ({ target, body }) =>
      this.#addPiece(INSTRUCTION, body === "" ? target : `${target} ${body}`, "<?", "?>"),
    );
    if (placesOf !== undefined) {
      parser.on("attribute", ({ name }) => {
        const closing = parser.position - 1;
        const opening = placesOf.lastIndexOf(placesOf[closing] ?? "", closing - 1);
        this.#attributesAt.push(placesOf.lastIndexOf(name, opening));
      });
    }
  }

  /**
   * @param text must not end within a pair of surrogates or between CR and LF
   * @throws {FormatError} its index is one of all text that was written so far
   */
  write(text: string): void {
    this.#chunkFrom += this.#chunk.length;
    this.#chunk = text;
    if (this.#prolog !== null) this.#prolog += text;
    this.#parser.write(text);
    if (this.#prolog === null) return;
    this.#prolog = this.#rest(this.#prolog);
    // Before it has ended.
    if (DOCTYPE.test(this.#prolog)) this.#refuseDoctype();
  }

  /** @throws {FormatError} */
  close(): void {
    this.#parser.close();
  }

  /** Characters that were read. */
  get position(): number {
    return this.#parser.position;
  }

  /** Where what is being read began: the wanted element, or the last markup outside one. */
  get pendingFrom(): number {
    return this.#open[0]?.at ?? this.#markupEnd;
  }

  #openTag(tag: SaxesTagNS): void {
    this.#prolog = null;
    this.#markupEnd = this.#parser.position;
    this.#depth++;
    if (this.#depth > this.#limits.depthMax) {
      this.#fail("too_deep", `Elements are nested deeper than ${this.#limits.depthMax} levels`, this.#tagAt);
    }
    const name = this.#element(tag);
    if (this.#open.length === 0) {
      this.#path = appendPointer(this.#path, name);
      if (this.#wanted !== "" && this.#path !== this.#wanted) return;
      this.#values = 0;
    }
    const outer = this.#open.at(-1);
    const attributes = this.#attributes(tag);
    this.#values += 1 + attributes.length;
    if (this.#values > this.#limits.valuesMax) {
      const message = `There are more than ${this.#limits.valuesMax} elements and attributes`;
      this.#fail("too_many_values", message, this.#tagAt);
    }
    const space = tag.attributes["xml:space"]?.value;
    this.#open.push({
      name,
      path: outer === undefined ? this.#path : appendPointer(outer.path, name),
      at: this.#tagAt,
      attributes,
      content: [],
      preserve:
        space === undefined
          ? (outer?.preserve ?? this.#keepsSpace)
          : space === "preserve" || this.#keepsSpace,
    });
  }

  #closeTag(): void {
    this.#markupEnd = this.#parser.position;
    this.#depth--;
    const element = this.#open.pop();
    const outer = this.#open.at(-1);
    if (element !== undefined) {
      const value = this.#isNil(element) ? null : elementValue(element, { arrays: this.#arrays });
      if (outer === undefined) {
        this.#sink.element(element.name, value, element);
      } else {
        const piece: ContentPiece = { name: element.name, value, at: element.at };
        if (this.#keepsPlaces) piece.element = element;
        outer.content.push(piece);
      }
    }
    if (outer === undefined) this.#path = this.#path.slice(0, this.#path.lastIndexOf("/"));
  }

  #isNil({ attributes, content }: XmlElement): boolean {
    if (!this.#readsNil || content.length > 0 || attributes.length !== 1) return false;
    const { name, value } = attributes[0]!;
    return name === "xsi:nil" && /^\s*(?:true|1)\s*$/.test(value);
  }

  #addText(text: string): void {
    const element = this.#open.at(-1);
    if (element === undefined || text === "") return;
    const last = element.content.at(-1);
    if (last?.name === TEXT) last.value = (last.value as string) + text;
    else element.content.push({ name: TEXT, value: text, at: this.#markupEnd });
  }

  #addPiece(name: string, value: string, opening: string, closing: string): void {
    // The parser tells of a comment in front of its last character.
    const end = this.#parser.position + (name === COMMENT ? 1 : 0);
    const at = end - opening.length - value.length - closing.length;
    this.#markupEnd = end;
    if (!this.#keepsComments) return;
    const element = this.#open.at(-1);
    if (element !== undefined) element.content.push({ name, value, at });
    else if (this.#depth === 0) this.#sink.outside?.({ name, value, at });
  }

  #element(tag: SaxesTagNS): string {
    const name = this.#names.elementName(tag);
    if (name === undefined) this.#prefixTaken(tag.name);
    if (name === "__proto__")
      this.#fail("reserved_name", "An element must not be called __proto__", this.#tagAt);
    return name;
  }

  #attributes(tag: SaxesTagNS): XmlElement["attributes"] {
    const attributes: XmlElement["attributes"] = [];
    let index = -1;
    for (const key in tag.attributes) {
      index++;
      const attribute = tag.attributes[key]!;
      const name = this.#attributeName(attribute);
      if (name !== null)
        attributes.push({ name, value: attribute.value, at: this.#attributesAt[index] ?? this.#tagAt });
    }
    return attributes;
  }

  /** Null for a declaration that the settings make needless. */
  #attributeName(attribute: SaxesAttributeNS): string | null {
    const name = this.#names.attributeName(attribute);
    if (name === undefined) this.#prefixTaken(attribute.name);
    return name;
  }

  #prefixTaken(name: string): never {
    const message = `${JSON.stringify(name)} stands in a namespace that the settings give another prefix`;
    this.#fail("prefix_taken", message, this.#tagAt);
  }

  /** Of a text that ends where the written ones do: what is behind the last markup. */
  #rest(text: string): string {
    return text.slice(Math.max(0, text.length - (this.#chunkFrom + this.#chunk.length - this.#markupEnd)));
  }

  #refuseDoctype(): never {
    this.#fail(
      "doctype_refused",
      "A document type declaration is not allowed",
      this.#skipSpace(this.#markupEnd),
    );
  }

  #refuseSyntax(parserMessage: string): never {
    if (this.#prolog !== null && DOCTYPE.test(this.#rest(this.#prolog))) this.#refuseDoctype();
    // The parser puts line and column in front.
    const reason = parserMessage.replace(/^\d+:\d+: /, "").replace(/\.$/, "");
    const position = Math.min(this.#parser.position, this.#chunkFrom + this.#chunk.length);
    const index = this.#indexOfError(reason, position);
    this.#fail("invalid_xml", `The document is not well-formed XML: ${reason}`, index);
  }

  /** The parser stands behind the character at fault; what is meant begins earlier: a tag, a reference. */
  #indexOfError(reason: string, position: number): number {
    if (reason.startsWith("unclosed tag")) return this.#open.at(-1)?.at ?? position;
    if (/^(?:unexpected end|document must)/.test(reason)) return position;
    const start = ERROR_STARTS.find(([pattern]) => pattern.test(reason))?.[1];
    if (start === undefined) return position - 1;
    if (start === "") return this.#skipSpace(this.#markupEnd);
    const index = this.#chunk.lastIndexOf(start, position - this.#chunkFrom - 1);
    return index < 0 ? position - 1 : this.#chunkFrom + index;
  }

  /** Index of the first character from here on that is no white space, as far as it was written last. */
  #skipSpace(index: number): number {
    const rest = this.#chunk.slice(Math.max(0, index - this.#chunkFrom));
    return Math.max(index, this.#chunkFrom) + rest.length - rest.trimStart().length;
  }

  #fail(code: FormatFaultCode, message: string, index: number): never {
    throw new FormatError({ code, message }, Math.max(0, index));
  }
}

/** With what the thing at fault begins, by the parser's words; `""` is text outside the root. */
const ERROR_STARTS: readonly (readonly [reason: RegExp, start: string])[] = [
  [
    /^(?:unexpected close|unmatched closing|weird empty|unbound namespace|duplicate attribute|tags may|documents may)/,
    "<",
  ],
  [/entity/, "&"],
  [/^the string "]]>"/, "]]>"],
  [/^text data outside/, ""],
];

const DOCTYPE = /^\s*<!DOCTYPE/;
