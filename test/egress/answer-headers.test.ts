import { describe, expect, test } from "bun:test";
import { AnswerHeaders } from "../../src/platform/egress/answer-headers.ts";

function headersOf(...fields: [string, string][]): AnswerHeaders {
  const headers = new AnswerHeaders();
  for (const [name, value] of fields) headers.append(name, value);
  return headers;
}

describe("AnswerHeaders", () => {
  test("get() finds a field whatever the case of its name, without the space around its value", () => {
    const headers = headersOf(["Retry-After", "\t 120 "], ["x-empty", ""]);
    expect([headers.get("retry-after"), headers.get("x-empty"), headers.get("x-none")]).toEqual([
      "120",
      "",
      null,
    ]);
  });

  test("get() joins a repeated field, and an iteration gives each", () => {
    const headers = headersOf(["Set-Cookie", "a=1"], ["x-b", "2"], ["set-cookie", "c=3"]);
    expect(headers.get("set-cookie")).toBe("a=1, c=3");
    expect([...headers]).toEqual([
      ["set-cookie", "a=1"],
      ["x-b", "2"],
      ["set-cookie", "c=3"],
    ]);
  });

  test("toJSON() holds every name once, also such that an object has by itself", () => {
    const headers = headersOf(["__proto__", "a"], ["constructor", "b"], ["x", "1"], ["X", "2"]);
    expect(JSON.stringify(headers)).toBe('{"__proto__":"a","constructor":"b","x":"1, 2"}');
  });
});
