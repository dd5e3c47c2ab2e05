import { ExactNumber, isDocumentObject, type DocumentObject, type DocumentValue } from "../document.ts";
import { isEncodable } from "../encode-text.ts";
import { FormatError, type FormatFaultCode } from "../fault.ts";
import type { FormatLimits } from "../limits.ts";
import { appendPointer } from "../pointer.ts";
import type { Encoding, XmlSettings } from "../settings.ts";
import { ATTRIBUTE, COMMENT, INSTRUCTION, ORDER, TEXT } from "./element-value.ts";
import { findNoCharacter, isNcName, isQualifiedName, prefixOf } from "./xml-characters.ts";

const XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE = "http://www.w3.org/2000/xmlns/";

/** Namespaces by their prefixes where an element stands. */
type Scope = Readonly<Record<string, string>>;

/** A part of an element's content, with the pointer of its value. */
interface Part {
  name: string;
  value: unknown;
  pointer: string;
}

/** Writes values as XML 1.0 with namespaces; whatever would make it ill-formed is refused with the value's pointer. */
export class XmlWriter {
  readonly #settings: XmlSettings;
  readonly #limits: FormatLimits;
  readonly #encoding: Encoding;
  readonly #namespaces: Readonly<Record<string, string>>;
  readonly #indent: number;

  /** @param namespaces declared on the outermost element */
  constructor(settings: XmlSettings, limits: FormatLimits, namespaces: Readonly<Record<string, string>>) {
    this.#settings = settings;
    this.#limits = limits;
    this.#encoding = settings.encoding ?? "utf-8";
    this.#namespaces = namespaces;
    this.#indent = settings.indent ?? 0;
  }

  /** @throws {FormatError} */
  document(document: unknown): string {
    if (!isDocumentObject(document))
      refuse("unwritable_value", "An XML document is an object with its root element", "");
    const parts = this.#parts(document, "").filter(({ value }) => value !== undefined);
    const roots = parts.filter(({ name }) => !name.startsWith("#"));
    if (roots.length !== 1 || parts.some(({ name }) => name === TEXT) || hasAttributes(document)) {
      refuse(
        "unwritable_value",
        "An XML document has one root element, and no text or attributes beside it",
        "",
      );
    }
    const newline = this.#indent > 0 ? "\n" : "";
    return (
      this.declaration() + parts.map((part) => this.#part(part, this.#outerScope(), 1, newline)).join(newline)
    );
  }

  declaration(): string {
    if (this.#settings.declaration === false) return "";
    const name = this.#encoding === "utf-16le" ? "UTF-16" : this.#encoding.toUpperCase();
    return `<?xml version="1.0" encoding="${name}"?>\n`;
  }

  /** The tags around all records of a stream, the namespaces declared on the first. */
  wrapper(names: readonly string[]): { opening: string; closing: string } {
    const opening = names.map((name, index) => {
      this.#checkName(name, this.#outerScope(), "");
      return `<${name}${index === 0 ? this.#declarations({}, "") : ""}>`;
    });
    return {
      opening: opening.join(""),
      closing: names
        .toReversed()
        .map((name) => `</${name}>`)
        .join(""),
    };
  }

  /** One element inside the wrapper. */
  record(name: string, value: unknown, depth: number): string {
    return this.#element(
      { name, value, pointer: "" },
      this.#scopeInside(),
      depth,
      this.#indent > 0 ? "\n" : "",
      false,
    );
  }

  #outerScope(): Scope {
    return { xml: XML_NAMESPACE };
  }

  #scopeInside(): Scope {
    return { ...this.#outerScope(), ...this.#namespaces };
  }

  #part(part: Part, scope: Scope, depth: number, lineStart: string): string {
    switch (part.name) {
      case TEXT:
        return this.#escape(this.#scalar(part.value, part.pointer), part.pointer, TEXT_ESCAPES);
      case COMMENT:
        return this.#comment(part);
      case INSTRUCTION:
        return this.#instruction(part);
      default:
        return this.#element(part, scope, depth, lineStart, depth === 1);
    }
  }

  #element(
    { name, value, pointer }: Part,
    outer: Scope,
    depth: number,
    lineStart: string,
    isRoot: boolean,
  ): string {
    if (depth > this.#limits.depthMax)
      refuse("too_deep", "The document is nested deeper than allowed", pointer);
    if (value === null && this.#settings.nulls === "omit" && !isRoot) return "";
    if (Array.isArray(value)) refuse("unwritable_value", "XML has no lists of lists", pointer);
    const object = isDocumentObject(value) ? value : {};
    const scope = this.#scopeOf(object, isRoot ? { ...outer, ...this.#namespaces } : outer, pointer);
    this.#checkName(name, scope, pointer);
    let attributes = isRoot ? this.#declarations(object, pointer) : "";
    if (value === null && this.#settings.nulls === "nil") attributes += ' xsi:nil="true"';
    attributes += this.#attributes(object, scope, pointer);
    const content = isDocumentObject(value)
      ? this.#content(object, scope, depth, lineStart, pointer)
      : this.#leaf(value, pointer);
    return content === "" ? `<${name}${attributes}/>` : `<${name}${attributes}>${content}</${name}>`;
  }

  #leaf(value: unknown, pointer: string): string {
    return value === null ? "" : this.#escape(this.#scalar(value, pointer), pointer, TEXT_ESCAPES);
  }

  #content(object: DocumentObject, scope: Scope, depth: number, lineStart: string, pointer: string): string {
    const parts = this.#parts(object, pointer);
    const isSpaced =
      lineStart !== "" && !parts.some(({ name }) => name === TEXT) && object["@xml:space"] !== "preserve";
    const inner = isSpaced ? lineStart + " ".repeat(this.#indent) : "";
    const written = parts
      .map((part) => this.#part(part, scope, depth + 1, inner))
      .filter((text) => text !== "");
    if (!isSpaced || written.length === 0) return written.join("");
    return inner + written.join(inner) + lineStart;
  }

  /** The content in its order: as `#order` says, then what it does not name, member by member. */
  #parts(object: DocumentObject, pointer: string): Part[] {
    const queues = new Map<string, Part[]>();
    for (const [name, value] of Object.entries(object) as [string, unknown][]) {
      if (name.startsWith(ATTRIBUTE) || name === ORDER || value === undefined) continue;
      const at = appendPointer(pointer, name);
      const items = Array.isArray(value) ? value : [value];
      queues.set(
        name,
        items.map((item: unknown, index) => ({
          name,
          value: item,
          pointer: Array.isArray(value) ? appendPointer(at, index) : at,
        })),
      );
    }
    const order = object[ORDER];
    if (order === undefined) return [...queues.values()].flat();
    if (!Array.isArray(order)) refuse("unwritable_value", "#order must be an array of names", pointer);
    const ordered: Part[] = [];
    const taken = new Map<string, number>();
    for (const name of order) {
      const index = taken.get(name as string) ?? 0;
      const part = queues.get(name as string)?.[index];
      if (part === undefined) continue;
      taken.set(part.name, index + 1);
      ordered.push(part);
    }
    return [...ordered, ...[...queues].flatMap(([name, parts]) => parts.slice(taken.get(name) ?? 0))];
  }

  #attributes(object: DocumentObject, scope: Scope, pointer: string): string {
    let text = "";
    const expanded = new Set<string>();
    for (const [key, value] of Object.entries(object) as [string, unknown][]) {
      if (!key.startsWith(ATTRIBUTE) || value === null || value === undefined) continue;
      const at = appendPointer(pointer, key);
      const name = key.slice(1);
      this.#checkName(name, scope, at, true);
      const prefix = prefixOf(name);
      const full = prefix === "" ? name : `{${scope[prefix]}}${name.slice(prefix.length + 1)}`;
      if (expanded.has(full))
        refuse("invalid_name", `The attribute ${name} occurs twice by its namespace`, at);
      expanded.add(full);
      text += ` ${name}="${this.#escape(this.#scalar(value, at), at, ATTRIBUTE_ESCAPES)}"`;
    }
    return text;
  }

  /** Declarations of the settings' namespaces that the element does not make itself. */
  #declarations(object: DocumentObject, pointer: string): string {
    return Object.entries(this.#namespaces)
      .filter(([prefix]) => !Object.hasOwn(object, declarationOf(prefix)))
      .map(
        ([prefix, uri]) =>
          ` ${declarationOf(prefix).slice(1)}="${this.#escape(uri, pointer, ATTRIBUTE_ESCAPES)}"`,
      )
      .join("");
  }

  /** The scope with an element's own declarations, each of which must be one that Namespaces in XML 1.0 allows. */
  #scopeOf(object: DocumentObject, outer: Scope, pointer: string): Scope {
    let own: Record<string, string> | undefined;
    for (const [key, value] of Object.entries(object)) {
      if (key !== "@xmlns" && !key.startsWith("@xmlns:")) continue;
      const prefix = key === "@xmlns" ? "" : key.slice("@xmlns:".length);
      const at = appendPointer(pointer, key);
      // A parser leaves out white space around a namespace.
      const uri = typeof value === "string" ? value.trim() : undefined;
      const isReserved =
        prefix === "xmlns" || uri === XMLNS_NAMESPACE || (prefix === "xml") !== (uri === XML_NAMESPACE);
      if (uri === undefined || isReserved || (uri === "" && prefix !== "")) {
        refuse(
          "undeclared_prefix",
          `The prefix ${JSON.stringify(prefix)} cannot stand for this namespace`,
          at,
        );
      }
      if (Object.hasOwn(this.#namespaces, prefix) && this.#namespaces[prefix] !== uri) {
        refuse(
          "prefix_taken",
          `The settings give the prefix ${JSON.stringify(prefix)} another namespace`,
          at,
        );
      }
      own ??= {};
      own[prefix] = uri;
    }
    return own === undefined ? outer : { ...outer, ...own };
  }

  #checkName(name: string, scope: Scope, pointer: string, isAttribute = false): void {
    if (!isQualifiedName(name) || (!isAttribute && prefixOf(name) === "xmlns"))
      refuse("invalid_name", `${JSON.stringify(name)} is no name in XML`, pointer);
    this.#checkEncoding(name, pointer);
    const prefix = prefixOf(name);
    if (prefix !== "" && prefix !== "xmlns" && !Object.hasOwn(scope, prefix)) {
      refuse(
        "undeclared_prefix",
        `The prefix of ${name} is not declared: by @xmlns:${prefix}, or in the settings`,
        pointer,
      );
    }
  }

  #comment({ value, pointer }: Part): string {
    const text = this.#plain(value, pointer);
    if (text.includes("--") || text.endsWith("-"))
      refuse("unwritable_text", "A comment must not hold -- or end with -", pointer);
    return `<!--${text}-->`;
  }

  #instruction({ value, pointer }: Part): string {
    const text = this.#plain(value, pointer);
    const target = /^[^ \t\n]*/.exec(text)?.[0] ?? "";
    if (!isNcName(target) || target.toLowerCase() === "xml" || text.includes("?>")) {
      refuse("unwritable_text", "A processing instruction is a name, a space and text without ?>", pointer);
    }
    return `<?${text}?>`;
  }

  /** Text where nothing can be escaped. */
  #plain(value: unknown, pointer: string): string {
    const text = this.#scalar(value, pointer);
    const wrong = findNoCharacter(text) ?? (text.includes("\r") ? "\r" : undefined);
    if (wrong !== undefined) refuseCharacter(wrong, pointer);
    this.#checkEncoding(text, pointer);
    return text;
  }

  #checkEncoding(text: string, pointer: string): void {
    if (this.#encoding === "utf-8" || this.#encoding === "utf-16le") return;
    const missing = [...text].find((character) => !isEncodable(character, this.#encoding));
    if (missing !== undefined) refuseCharacter(missing, pointer);
  }

  #scalar(value: unknown, pointer: string): string {
    if (typeof value === "string") return value;
    if (typeof value === "boolean" || value instanceof ExactNumber) return String(value);
    if (typeof value === "number" && Number.isFinite(value)) return String(value);
    return refuse("unwritable_value", "Text and attributes are strings, numbers or booleans", pointer);
  }

  #escape(text: string, pointer: string, escapes: Escapes): string {
    const wrong = findNoCharacter(text);
    if (wrong !== undefined) refuseCharacter(wrong, pointer);
    const escaped = text.replace(escapes.pattern, (character) => escapes.table[character]!);
    if (this.#encoding === "utf-8" || this.#encoding === "utf-16le") return escaped;
    return escaped.replace(/\P{ASCII}/gu, (character) =>
      isEncodable(character, this.#encoding) ? character : `&#${character.codePointAt(0)};`,
    );
  }
}

interface Escapes {
  pattern: RegExp;
  table: Readonly<Record<string, string>>;
}

const ESCAPE_TABLE = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\t": "&#9;",
  "\n": "&#10;",
  // A parser makes a line feed of it otherwise (XML 1.0, section 2.11).
  "\r": "&#13;",
};
const TEXT_ESCAPES: Escapes = { pattern: /[&<>\r]/g, table: ESCAPE_TABLE };
/** A parser makes spaces of tabs and line feeds in attributes (section 3.3.3). */
const ATTRIBUTE_ESCAPES: Escapes = { pattern: /[&<>"\t\n\r]/g, table: ESCAPE_TABLE };

function declarationOf(prefix: string): string {
  return prefix === "" ? "@xmlns" : `@xmlns:${prefix}`;
}

function hasAttributes(object: Readonly<Record<string, DocumentValue>>): boolean {
  return Object.keys(object).some((name) => name.startsWith(ATTRIBUTE));
}

function refuseCharacter(character: string, pointer: string): never {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return refuse("unwritable_text", `The character U+${code} cannot be written here`, pointer);
}

function refuse(code: FormatFaultCode, message: string, pointer: string): never {
  throw new FormatError({ code, message, pointer }, -1);
}
