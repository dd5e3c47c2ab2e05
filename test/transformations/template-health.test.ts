import { describe, expect, test } from "bun:test";
import {
  admit,
  book,
  COSTLY_FAILURES_MAX,
  FAILURES_MAX,
  newHealth,
} from "../../src/domain/transformations/template-health.ts";

describe("book()", () => {
  test("pauses a version after 8 documents in a row that it failed, and not before", () => {
    const health = newHealth();
    for (let count = 1; count < FAILURES_MAX; count++)
      expect(book(health, "go", "mapping_failed")).toBeUndefined();
    expect(book(health, "go", "output_refused")).toBe("pause");
  });

  test("begins anew with each document that passes", () => {
    const health = newHealth();
    for (let count = 0; count < 100; count++) {
      expect(book(health, "go", "mapping_failed")).toBeUndefined();
      if (count % 5 === 4) expect(book(health, "go", undefined)).toBeUndefined();
    }
  });

  test("pauses after 5 that took too long or too much memory", () => {
    const health = newHealth();
    for (let count = 1; count < COSTLY_FAILURES_MAX; count++)
      expect(book(health, "go", "transform_timeout")).toBeUndefined();
    expect(book(health, "go", "transform_memory")).toBe("pause");
  });

  test.each(["document_invalid", "document_too_large", "input_refused", "transform_busy"] as const)(
    "blames no version for %s",
    (code) => {
      const health = newHealth();
      for (let count = 0; count < 100; count++) expect(book(health, "go", code)).toBeUndefined();
    },
  );
});

describe("admit()", () => {
  test("lets nothing through during a pause, and one document at a time after it", () => {
    const health = newHealth();
    expect(admit(health, undefined, 1_000)).toBe("go");
    expect(admit(health, 2_000, 1_000)).toBe("paused");
    expect(admit(health, 2_000, 2_000)).toBe("probe");
    expect(admit(health, 2_000, 2_001)).toBe("paused");
  });

  test("pauses again by one failure after a pause, and resumes by one that passes", () => {
    const health = newHealth();
    admit(health, 0, 1);
    expect(book(health, "probe", "mapping_failed")).toBe("pause");
    expect(admit(health, 0, 1)).toBe("probe");
    expect(book(health, "probe", undefined)).toBe("resume");
  });

  test("tries another document when the one after a pause was none", () => {
    const health = newHealth();
    admit(health, 0, 1);
    expect(book(health, "probe", "document_invalid")).toBeUndefined();
    expect(admit(health, 0, 1)).toBe("probe");
  });
});
