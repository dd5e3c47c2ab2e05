import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { buildUrl } from "../../src/domain/providers/build-url.ts";

const BASE = "https://api.example.com/v3/company/17";
const codeOf = (path: string, base = BASE): string => {
  const built = buildUrl(base, path);
  return built.ok ? built.url : built.code;
};

describe("buildUrl()", () => {
  test.each([
    ["/invoice", `${BASE}/invoice`],
    ["invoice", `${BASE}/invoice`],
    ["", BASE],
    ["/", `${BASE}/`],
    ["/a/", `${BASE}/a/`],
    ["/a?b=c&d=%2e%2e/%2f", `${BASE}/a?b=c&d=%2e%2e/%2f`],
    ["?select=*", `${BASE}?select=*`],
    ["/users/@me", `${BASE}/users/@me`],
    ["@evil.example.com/x", `${BASE}/@evil.example.com/x`],
    [":8080/x", `${BASE}/:8080/x`],
    ["/a/..b/b..", `${BASE}/a/..b/b..`],
    ["/%41%20b", `${BASE}/%41%20b`],
    ["/Müller", `${BASE}/M%C3%BCller`],
    ["/ia::result", `${BASE}/ia::result`],
    ["/100%25", `${BASE}/100%25`],
    ["/[::1]/x", `${BASE}/[::1]/x`],
    ["/a%3Fb%23c", `${BASE}/a%3Fb%23c`],
  ])("keeps %p below the base", (path, url) => {
    expect(codeOf(path)).toBe(url);
  });

  test.each([
    ["/..", "path_dot_segment"],
    ["/../other", "path_dot_segment"],
    ["/a/../../b", "path_dot_segment"],
    ["/./a", "path_dot_segment"],
    ["/%2e%2e/a", "path_dot_segment"],
    ["/%2E./a", "path_dot_segment"],
    ["/.%2e", "path_dot_segment"],
    ["/%252e%252e/a", "path_dot_segment"],
    ["/%25252e%25252e/a", "path_dot_segment"],
    ["/..;x=1/a", "path_dot_segment"],
    ["/%2e%2e;/a", "path_dot_segment"],
    ["/\uff0e\uff0e/a", "path_dot_segment"],
    ["/%ef%bc%8e%ef%bc%8e/a", "path_dot_segment"],
    ["/\u2025/a", "path_dot_segment"],
    ["/\u3002\u3002/a", "path_dot_segment"],
    ["//evil.example.com/a", "path_empty_segment"],
    ["///evil.example.com", "path_empty_segment"],
    ["/a//b", "path_empty_segment"],
    ["//[::1]/a", "path_empty_segment"],
    ["https://evil.example.com/a", "path_empty_segment"],
    ["/\\evil.example.com", "path_backslash"],
    ["\\\\evil.example.com", "path_backslash"],
    ["/..\\..", "path_backslash"],
    ["/a%5c..%5cb", "path_backslash"],
    ["/\uff3ca", "path_backslash"],
    ["/..%2fother", "path_encoded_slash"],
    ["/a%2Fb", "path_encoded_slash"],
    ["/a%252fb", "path_encoded_slash"],
    ["/\uff0fa", "path_encoded_slash"],
    ["/a%00b", "path_control_character"],
    ["/a%0d%0aX-A: b", "path_control_character"],
    ["/a%250d%250a", "path_control_character"],
    ["/a\0b", "path_control_character"],
    ["/a\r\nX-A: b", "path_control_character"],
    ["/a?b=\r\nc", "path_control_character"],
    ["/a\tb", "path_control_character"],
    ["/\ud800", "path_control_character"],
    ["/a#b", "path_fragment"],
    ["/a?b#c", "path_fragment"],
    ["/100%", "path_encoding"],
    ["/%zz", "path_encoding"],
    ["/%c0%ae%c0%ae/a", "path_encoding"],
    [`/${"a".repeat(9_000)}`, "path_too_long"],
  ])("refuses %p", (path, code) => {
    expect(codeOf(path)).toBe(code);
  });

  test("leaves the base whatever comes", () => {
    const part = fc.constantFrom(
      "..",
      ".",
      "/",
      "\\",
      "%2e",
      "%2f",
      "%5c",
      "@",
      ":",
      "?",
      "#",
      "evil.com",
      "a",
      ";",
      "//",
      "\uff0e",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string({ unit: "binary" })), { maxLength: 12 }), (parts) => {
        const built = buildUrl(BASE, parts.join(""));
        if (!built.ok) return true;
        const url = new URL(built.url);
        return (
          url.origin === "https://api.example.com" &&
          `${url.pathname}/`.startsWith("/v3/company/17/") &&
          url.hash === ""
        );
      }),
      { numRuns: 3_000 },
    );
  });

  test("takes a base without a path", () => {
    expect(codeOf("/a", "https://api.example.com")).toBe("https://api.example.com/a");
    expect(codeOf("", "https://api.example.com")).toBe("https://api.example.com/");
    expect(codeOf("//evil", "https://api.example.com")).toBe("path_empty_segment");
  });
});
