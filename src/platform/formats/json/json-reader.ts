import { appendPointer, parsePointer } from "../pointer.ts";
import { ExactNumber, isHeldByDouble, type DocumentObject, type DocumentValue } from "../document.ts";
import type { FormatFault } from "../fault.ts";
import { placeAt, type SourceText } from "../source-text.ts";

/** Faults after this many are not looked for. */
const FAULTS_MAX = 20;

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** Raised at the first character that no JSON has there. */
class SyntaxFault extends Error {
  readonly index: number;

  constructor(message: string, index: number) {
    super(message);
    this.index = index;
  }
}

/**
 * Reads JSON (RFC 8259) character by character: for documents that hold numbers which a double would change, for the
 * places of faults, and for the place of a value. Ten times slower than the engine's parser, which is why it is only
 * used there. Depth is bounded by the scan that goes before.
 */
export class JsonReader {
  readonly #source: SourceText;
  readonly #text: string;
  #at = 0;
  #pointer = "";
  readonly #faults: FormatFault[] = [];

  constructor(source: SourceText) {
    this.#source = source;
    this.#text = source.text;
  }

  /** The whole document, or what is wrong with it: a first error of syntax, or all doubled and forbidden keys. */
  read(): { ok: true; document: DocumentValue } | { ok: false; faults: FormatFault[] } {
    try {
      const document = this.#readValue();
      this.#skipSpace();
      if (this.#at < this.#text.length) throw this.#unexpected("the end of the document");
      return this.#faults.length > 0 ? { ok: false, faults: this.#faults } : { ok: true, document };
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      const message = `The document is not JSON: ${error.message}`;
      const place = placeAt(this.#source, error.index);
      return { ok: false, faults: [{ code: "invalid_json", message, pointer: this.#pointer, ...place }] };
    }
  }

  /** Index of the value that a pointer names, in a document that was read without fault. */
  find(pointer: string): number | undefined {
    const tokens = parsePointer(pointer);
    if (tokens === undefined) return undefined;
    this.#skipSpace();
    for (const token of tokens) {
      const opening = this.#text[this.#at];
      const found = opening === "{" ? this.#findMember(token) : opening === "[" && this.#findItem(token);
      if (!found) return undefined;
    }
    return this.#at;
  }

  #findMember(name: string): boolean {
    this.#at++;
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') return false;
      const key = this.#readString();
      this.#skipSpace();
      this.#at++;
      this.#skipSpace();
      if (key === name) return true;
      this.#readValue();
      if (!this.#isAtComma()) return false;
    }
  }

  #findItem(token: string): boolean {
    if (!/^(?:0|[1-9]\d*)$/.test(token)) return false;
    this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === "]") return false;
    for (let index = 0; index < Number(token); index++) {
      this.#readValue();
      if (!this.#isAtComma()) return false;
    }
    this.#skipSpace();
    return true;
  }

  #isAtComma(): boolean {
    this.#skipSpace();
    return this.#text[this.#at++] === ",";
  }

  #readValue(): DocumentValue {
    this.#skipSpace();
    const character = this.#text[this.#at];
    switch (character) {
      case "{":
        return this.#readObject();
      case "[":
        return this.#readArray();
      case '"':
        return this.#readString();
      case "t":
        return this.#readWord("true", true);
      case "f":
        return this.#readWord("false", false);
      case "n":
        return this.#readWord("null", null);
      default:
        return this.#readNumber();
    }
  }

  #readObject(): DocumentValue {
    const object: DocumentObject = {};
    const outer = this.#pointer;
    this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === "}") {
      this.#at++;
      return object;
    }
    for (;;) {
      this.#skipSpace();
      const keyAt = this.#at;
      if (this.#text[keyAt] !== '"') throw this.#unexpected("a key in double quotes");
      const key = this.#readString();
      this.#pointer = appendPointer(outer, key);
      this.#expect(":", "a colon after the key");
      if (key === "__proto__") {
        this.#report("reserved_name", "A member must not be called __proto__", keyAt);
        this.#readValue();
      } else {
        if (Object.hasOwn(object, key)) {
          this.#report("duplicate_key", `The key ${JSON.stringify(key)} occurs twice in one object`, keyAt);
        }
        object[key] = this.#readValue();
      }
      this.#pointer = outer;
      if (this.#endsList("}", "a comma or the end of the object")) return object;
    }
  }

  #readArray(): DocumentValue {
    const array: DocumentValue[] = [];
    const outer = this.#pointer;
    this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === "]") {
      this.#at++;
      return array;
    }
    for (;;) {
      this.#pointer = appendPointer(outer, array.length);
      array.push(this.#readValue());
      this.#pointer = outer;
      if (this.#endsList("]", "a comma or the end of the array")) return array;
    }
  }

  /** Passes a comma, or the closing bracket. */
  #endsList(closing: string, expected: string): boolean {
    this.#skipSpace();
    const character = this.#text[this.#at];
    if (character !== "," && character !== closing) throw this.#unexpected(expected);
    this.#at++;
    return character === closing;
  }

  #readString(): string {
    const start = this.#at;
    let value = "";
    let plainFrom = start + 1;
    this.#at = plainFrom;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw new SyntaxFault("a string is not closed", start);
      if (character < " ")
        throw new SyntaxFault("a control character stands in a string unescaped", this.#at);
      if (character === '"' || character === "\\") {
        value += this.#text.slice(plainFrom, this.#at);
        this.#at++;
        if (character === '"') break;
        value += this.#readEscape();
        plainFrom = this.#at;
      } else {
        this.#at++;
      }
    }
    if (!value.isWellFormed()) {
      this.#report("lone_surrogate", "A string holds half of a surrogate pair (\\uD800 to \\uDFFF)", start);
    }
    return value;
  }

  #readEscape(): string {
    const at = this.#at;
    const letter = this.#text[at] ?? "";
    if (letter === "u") {
      const digits = this.#text.slice(at + 1, at + 5);
      if (!/^[\dA-Fa-f]{4}$/.test(digits))
        throw new SyntaxFault("four hexadecimal digits must follow \\u", at - 1);
      this.#at += 5;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (character === undefined)
      throw new SyntaxFault("a backslash stands before a character that needs none", at - 1);
    this.#at++;
    return character;
  }

  #readNumber(): DocumentValue {
    const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    number.lastIndex = this.#at;
    const text = number.exec(this.#text)?.[0];
    if (text === undefined) throw this.#unexpected("a value");
    this.#at += text.length;
    return isHeldByDouble(text) ? Number(text) : new ExactNumber(text);
  }

  #readWord<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected("a value");
    this.#at += word.length;
    return value;
  }

  #expect(character: string, what: string): void {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) throw this.#unexpected(what);
    this.#at++;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #unexpected(expected: string): SyntaxFault {
    const found = this.#text.codePointAt(this.#at);
    const what = found === undefined ? "it ends" : `${JSON.stringify(String.fromCodePoint(found))} stands`;
    return new SyntaxFault(`${what} where ${expected} should be`, this.#at);
  }

  #report(code: string, message: string, index: number): void {
    if (this.#faults.length >= FAULTS_MAX) return;
    this.#faults.push({ code, message, pointer: this.#pointer, ...placeAt(this.#source, index) });
  }
}
