import type { FieldError } from "../errors.ts";
import type { DocumentFormat } from "./transformation-schema.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The bytes of an example document: a text is the document's text, or its bytes in base64; with JSON any other value is
 * the document itself.
 *
 * @param path JSON pointer of the example in the body, for faults
 */
export function readExample(
  format: DocumentFormat,
  example: unknown,
  encoding: "utf8" | "base64" | undefined,
  path: string,
): Uint8Array | FieldError {
  if (typeof example === "string") {
    if (encoding !== "base64") return Buffer.from(example, "utf8");
    return BASE64.test(example) ? Buffer.from(example, "base64") : { path, message: "must be base64" };
  }
  if (format === "JSON" && example !== undefined) return Buffer.from(JSON.stringify(example), "utf8");
  return { path, message: `must be the text of a document, because the format is ${format}` };
}
