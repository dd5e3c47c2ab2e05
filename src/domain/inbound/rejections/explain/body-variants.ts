import { parseJson } from "../../../../platform/json/parse-json.ts";
import { decodeContent } from "../../../../platform/formats/decode-content.ts";
import { utf8Text } from "../../schemes/read-place.ts";
import type { RejectionCause } from "../rejection-cause.ts";
import { type JsonStyle, reformatJson, rewriteStrings, sortJson } from "./reformat-json.ts";
import { STRETCH_MS } from "./search.ts";
import { asIs, type Variant } from "./variant.ts";

/** Output at which the decoding of a compressed body stops. */
const DECODED_BYTES_MAX = 4 * 1024 * 1024;

const PASS_UNCHANGED =
  "Let every proxy, gateway or middleware between the sender and the hub pass the body's bytes unchanged.";

type TextChange = readonly [code: string, signed: string, change: (text: string) => string | undefined];

/**
 * The bodies that the sender may have signed when another one arrived: re-serialised, with other line ends or another
 * charset, as a form instead of JSON, before compression. The body as it is comes first.
 */
export async function bodyVariants(
  body: Uint8Array,
  headers: Headers,
): Promise<readonly Variant<Uint8Array>[]> {
  const variants: Variant<Uint8Array>[] = [asIs(body)];
  const seen = new Set([Bun.hash(body)]);
  const add = (
    code: string,
    signed: string,
    bytes: Uint8Array | undefined,
    action = PASS_UNCHANGED,
  ): void => {
    if (bytes === undefined) return;
    const hash = Bun.hash(bytes);
    if (seen.has(hash)) return;
    seen.add(hash);
    const cause: RejectionCause = {
      code,
      message: `Signed was ${signed}, which is not what arrived.`,
      action,
    };
    variants.push({ value: bytes, causes: [cause] });
  };
  const text = utf8Text(body);
  if (text !== undefined) {
    let stretchFrom = performance.now();
    for (const [code, signed, change] of textChanges(text)) {
      const changed = change(text);
      if (changed !== undefined) add(code, signed, Buffer.from(changed));
      if (performance.now() - stretchFrom < STRETCH_MS) continue;
      // oxlint-disable-next-line no-await-in-loop -- gives way to requests
      await new Promise((resolve) => setImmediate(resolve));
      stretchFrom = performance.now();
    }
    const narrow = latin1(text);
    const isTwice = narrow !== undefined && utf8Text(narrow) !== undefined;
    add(
      "body_charset",
      isTwice ? "the text before it was encoded as UTF-8 twice" : "the text in ISO-8859-1",
      narrow,
    );
    add("body_charset", "the text encoded as UTF-8 twice", Buffer.from(Buffer.from(body).toString("latin1")));
  } else {
    add(
      "body_charset",
      "the text in UTF-8 and not in ISO-8859-1",
      Buffer.from(Buffer.from(body).toString("latin1")),
    );
  }
  const coding = headers.get("content-encoding");
  if (coding !== null) {
    const content = await decodeContent(body, coding, DECODED_BYTES_MAX);
    if (content.ok)
      add("body_content_encoding", "the body before its compression", content.bytes, SIGN_COMPRESSED);
  }
  add("body_empty", "an empty body", new Uint8Array(0), SIGN_BODY);
  return variants;
}

const SIGN_COMPRESSED =
  "Have the sender sign the bytes that it sends, or send without Content-Encoding; a proxy must not compress.";
const SIGN_BODY = "Have the sender sign the body itself: the signature is made before the body is known.";

const JSON_STYLES: readonly (readonly [words: string, style: JsonStyle])[] = [
  ["without white space", { indent: "", comma: ",", colon: ":" }],
  ["indented by 2", { indent: "  ", comma: ",", colon: ": " }],
  ["indented by 4", { indent: "    ", comma: ",", colon: ": " }],
  ["indented by tabs", { indent: "\t", comma: ",", colon: ": " }],
  ["with a space after commas and colons", { indent: "", comma: ", ", colon: ": " }],
  ["with a space after colons", { indent: "", comma: ",", colon: ": " }],
];

const STRING_FORMS: readonly (readonly [words: string, rewrite: (string: string) => string])[] = [
  ["with all but ASCII characters escaped", (string) => string.replace(/[^\0-\x7f]/g, unicodeEscape)],
  ["with characters instead of their escapes", unescapeUnicode],
  ["with escaped slashes", (string) => string.replace(/(?<!\\)\//g, "\\/")],
  ["without escaped slashes", (string) => string.replaceAll("\\/", "/")],
  ["with <, > and & escaped", (string) => string.replace(/[<>&]/g, unicodeEscape)],
];

function* textChanges(text: string): Generator<TextChange> {
  yield* [
    ["body_newline", "the body without the line break at its end", (body) => body.replace(/(?:\r?\n)+$/, "")],
    ["body_newline", "the body with a line break at its end", (body) => `${body}\n`],
    ["body_newline", "the body with CR LF at its end", (body) => `${body}\r\n`],
    ["body_whitespace", "the body without white space around it", (body) => body.trim()],
    ["body_line_endings", "the body with LF at the line ends", (body) => body.replaceAll("\r\n", "\n")],
    ["body_line_endings", "the body with CR LF at the line ends", (body) => body.replace(/\r?\n/g, "\r\n")],
    ["body_bom", "the body with a byte order mark", (body) => `\uFEFF${body}`],
    ["body_bom", "the body without its byte order mark", (body) => body.replace(/^\uFEFF/, "")],
  ] satisfies TextChange[];
  const document = parsedJson(text);
  if (document === undefined) return yield* formChanges(text);
  yield* jsonChanges(text, document);
  yield ["body_form_json", "a form with the same fields", () => asForm(document)];
  yield [
    "body_form_json",
    "a form with this JSON in its field `payload`",
    (body) => `payload=${encodeURIComponent(body)}`,
  ];
}

/** The same document as other programs write it. */
function* jsonChanges(text: string, document: object): Generator<TextChange> {
  const change = (words: string, rewrite: (body: string) => string): TextChange => [
    "body_reserialised",
    `the same JSON ${words}`,
    rewrite,
  ];
  const styles: (readonly [words: string, styled: string])[] = [];
  for (const [words, style] of JSON_STYLES) {
    const styled = reformatJson(text, style);
    styles.push([words, styled]);
    yield change(words, () => styled);
    yield change(`${words} and with a line break at the end`, () => `${styled}\n`);
    if (styled.includes("\n")) yield change(`${words}, with CR LF`, () => styled.replaceAll("\n", "\r\n"));
  }
  for (const [words, rewrite] of STRING_FORMS) {
    yield change(words, (body) => rewriteStrings(body, rewrite));
    for (const [style, styled] of styles) {
      yield change(`${style}, ${words}`, () => rewriteStrings(styled, rewrite));
    }
  }
  const sorted = sortJson(text);
  for (const [words, style] of JSON_STYLES) {
    const styled = reformatJson(sorted, style);
    yield change(`${words}, with its keys in order`, () => styled);
    yield change(`${words}, with its keys in order and all but ASCII characters escaped`, () =>
      rewriteStrings(styled, STRING_FORMS[0]![1]),
    );
  }
  yield change("as JavaScript writes it", () => JSON.stringify(document));
}

function formChanges(text: string): TextChange[] {
  if (!/^[^\s={}<>]+=[^\s]*$/.test(text)) return [];
  const form = new URLSearchParams(text);
  const fields = Object.fromEntries(form);
  return [
    ["body_form_json", "the same fields as JSON", () => JSON.stringify(fields)],
    ["body_form_json", "the content of the form's field `payload`", () => form.get("payload") ?? undefined],
    ["body_reserialised", "the same form with + for spaces", () => form.toString()],
    ["body_reserialised", "the same form with %20 for spaces", () => form.toString().replaceAll("+", "%20")],
    ["body_reserialised", "the same form, decoded", (body) => decoded(body)],
  ];
}

/** Undefined also for what is nested too deep to be written again. */
function parsedJson(text: string): object | undefined {
  const parsed = parseJson(Buffer.from(text));
  const document = parsed.ok ? parsed.value : undefined;
  return typeof document === "object" && document !== null ? document : undefined;
}

function asForm(document: object): string | undefined {
  if (Array.isArray(document)) return undefined;
  const entries = Object.entries(document);
  if (entries.some(([, value]) => typeof value === "object" && value !== null)) return undefined;
  return new URLSearchParams(entries.map(([name, value]) => [name, String(value)])).toString();
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Escapes of characters that JSON must not hold plainly stay. */
function unescapeUnicode(string: string): string {
  return string.replace(/(?<!\\)\\u([0-9a-fA-F]{4})/g, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return character < " " || character === '"' || character === "\\" ? escape : character;
  });
}

/** The text's characters as one byte each; undefined when one does not fit. */
function latin1(text: string): Uint8Array | undefined {
  return /[^\0-\xff]/.test(text) ? undefined : Buffer.from(text, "latin1");
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
