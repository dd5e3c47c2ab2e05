import { describe, expect, test } from "bun:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import type { DecodedBody } from "../../src/domain/inbound/decode-body.ts";
import { decodeBody } from "../../src/domain/inbound/decode-body.ts";

const MIB = 1024 * 1024;
const decode = (
  body: string | Uint8Array,
  contentType?: string,
  contentEncoding?: string,
): Promise<DecodedBody> =>
  decodeBody({
    bytes: typeof body === "string" ? Buffer.from(body) : body,
    contentType,
    contentEncoding,
    maxBytes: MIB,
  });
const codeOf = async (...given: Parameters<typeof decode>): Promise<string> => {
  const decoded = await decode(...given);
  return decoded.ok ? decoded.kind : decoded.code;
};

describe("decodeBody()", () => {
  test("undoes gzip, deflate with and without its header, br, and two of them", async () => {
    const text = JSON.stringify({ city: "Orán", n: 1 });
    const encoded: [Uint8Array, string][] = [
      [gzipSync(text), "gzip"],
      [gzipSync(text), "X-GZIP"],
      [deflateSync(text), "deflate"],
      [deflateRawSync(text), "deflate"],
      [brotliCompressSync(text), "br"],
      [gzipSync(brotliCompressSync(text)), "br, gzip"],
      [Buffer.from(text), "identity"],
    ];
    for (const [bytes, coding] of encoded) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await decode(bytes, "application/json", coding)).toMatchObject({ kind: "json", text });
    }
  });

  test("stops a bomb at the limit, whatever the coding, also one inside another", async () => {
    const zeros = Buffer.alloc(16 * MIB);
    for (const [bytes, coding] of [
      [gzipSync(zeros), "gzip"],
      [deflateSync(zeros), "deflate"],
      [deflateRawSync(zeros), "deflate"],
      [brotliCompressSync(zeros), "br"],
      [gzipSync(gzipSync(zeros)), "gzip, gzip"],
    ] as [Uint8Array, string][]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await codeOf(bytes, "text/plain", coding)).toBe("body_too_large_decoded");
    }
    expect(await codeOf(Buffer.alloc(MIB + 1, "x"), "text/plain")).toBe("body_too_large_decoded");
    expect(await codeOf(gzipSync(Buffer.alloc(MIB, "x")), "text/plain", "gzip")).toBe("text");
  });

  test("refuses unknown, too many, corrupt and truncated encodings", async () => {
    expect(await codeOf("{}", "application/json", "zstd-x")).toBe("body_encoding_unsupported");
    expect(await codeOf("{}", "application/json", "constructor")).toBe("body_encoding_unsupported");
    expect(await codeOf("{}", "application/json", "gzip, gzip, gzip")).toBe("body_encoding_unsupported");
    expect(await codeOf("{}", "application/json", "gzip")).toBe("body_encoding_invalid");
    expect(await codeOf(gzipSync("x".repeat(999)).subarray(0, 20), "text/plain", "gzip")).toBe(
      "body_encoding_invalid",
    );
  });

  test("reads JSON by its type, without a type, and as plain text", async () => {
    for (const type of [
      "application/json",
      "application/vnd.api+json; charset=utf-8",
      "text/json",
      "",
      "text/plain",
    ]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await decode(' {"a":1}', type)).toMatchObject({ kind: "json", value: { a: 1 } });
    }
    expect(await codeOf("{not json", "text/plain")).toBe("text");
    expect(await codeOf("{not json", "application/json")).toBe("body_not_json");
    const utf16 = Buffer.from('{"a":"é"}', "utf16le");
    expect(await decode(utf16, "application/json; charset=utf-16le")).toMatchObject({ value: { a: "é" } });
  });

  test("names the fault of a hostile document", async () => {
    expect(await codeOf("[".repeat(100_000), "application/json")).toBe("body_too_deep");
    expect(await codeOf("[".repeat(100_000), "text/plain")).toBe("body_too_deep");
    const keys = `{${Array.from({ length: 200_001 }, () => '"":1').join(",")}}`;
    const bytes = Buffer.from(keys);
    const wide = await decodeBody({ bytes, contentType: "application/json", maxBytes: 2 * MIB });
    expect(wide).toMatchObject({ ok: false, code: "body_too_many_keys" });
    expect(await codeOf(Uint8Array.from([0x22, 0xff, 0x22]), "application/json")).toBe("body_not_text");
    expect(await codeOf("x", "text/plain; charset=klingon")).toBe("body_charset_unsupported");
    expect(await decode('{"a":"\\u0000"}', "application/json")).toMatchObject({ ok: true, storable: false });
  });

  test("reads forms into an object, repeated fields into arrays, __proto__ as a field", async () => {
    const decoded = await decode("a=1&b=x+y&a=2&a=3&__proto__=p", "application/x-www-form-urlencoded");
    if (!decoded.ok || decoded.kind !== "form") throw new Error("not a form");
    expect(JSON.parse(decoded.text)).toEqual(JSON.parse('{"a":["1","2","3"],"b":"x y","__proto__":"p"}'));
    expect(Object.getPrototypeOf(decoded.value)).toBe(Object.prototype);
    expect(await codeOf("a&".repeat(1001), "application/x-www-form-urlencoded")).toBe("body_too_many_keys");
  });

  test("reads text by its mark, its header, and the XML declaration, in this order", async () => {
    const xml = (encoding: string) => `<?xml version="1.0" encoding="${encoding}"?><a>é</a>`;
    const latin1 = Buffer.from(xml("ISO-8859-1"), "latin1");
    expect(await decode(latin1, "application/xml")).toMatchObject({ kind: "text", text: xml("ISO-8859-1") });
    expect(await decode(Buffer.from("é", "latin1"), "text/xml; charset=iso-8859-1")).toMatchObject({
      text: "é",
    });
    const marked = Buffer.from("\ufeffé", "utf16le");
    expect(await decode(marked, "text/csv; charset=utf-8")).toMatchObject({ text: "é" });
    expect(await codeOf(Buffer.from("é", "latin1"), "text/xml")).toBe("body_not_text");
  });

  test("keeps other types as bytes, and knows an empty body", async () => {
    expect(await codeOf(Uint8Array.from([0, 255]), "application/octet-stream")).toBe("binary");
    expect(await codeOf(Uint8Array.from([0, 255]))).toBe("binary");
    expect(await codeOf("", "application/json")).toBe("empty");
  });

  test("ends with an outcome for any bytes under any headers", async () => {
    const types = [
      "application/json",
      "text/plain",
      "application/x-www-form-urlencoded",
      "text/xml",
      "",
      "x",
    ];
    const codings = [undefined, "gzip", "deflate", "br", "identity", ",", "é"];
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 100 }),
        fc.constantFrom(...types),
        fc.constantFrom(...codings),
        async (bytes, type, coding) => {
          const decoded = await decode(bytes, type, coding);
          if (!decoded.ok) expect(decoded.code).toMatch(/^body_/);
        },
      ),
    );
  });
});
