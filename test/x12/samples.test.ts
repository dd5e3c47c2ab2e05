import { describe, expect, test } from "bun:test";
import { fromReadable } from "../../src/platform/x12/from-readable.ts";
import { firstError } from "../../src/platform/x12/model.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { toReadable } from "../../src/platform/x12/readable.ts";
import type { X12SettingsInput } from "../../src/platform/x12/settings.ts";
import { expectations, rawSegments, type Reading, readSample, samplesAreThere } from "./samples.ts";

function read(name: string, settings: X12SettingsInput): Reading {
  const document = parseInterchanges(readSample(name), settings);
  const error = firstError(document);
  if (error !== null) {
    const { segment, segmentId, element } = error.at;
    return { refused: { code: error.code, segment, segmentId, element } };
  }
  const segments = rawSegments(document);
  const sha256 = new Bun.CryptoHasher("sha256").update(segments.join("\n")).digest("hex");
  return { segments: segments.length, sha256 };
}

describe.skipIf(!samplesAreThere)("parseInterchanges() on real documents", () => {
  test.each(expectations)("%s reads as it was read before there was a parser", (name, expected) => {
    expect(read(name, {})).toEqual(expected.strict);
    expect(read(name, { mode: "lenient" })).toEqual(expected.lenient ?? expected.strict);
    if (expected.unwrapped !== undefined) {
      expect(read(name, { lineBreaks: "remove" })).toEqual(expected.unwrapped);
    }
  });

  test.each(expectations)("%s comes back from its JSON byte for byte", (name) => {
    const bytes = readSample(name);
    for (const lineBreaks of ["keep", "remove"] as const) {
      for (const mode of ["strict", "lenient"] as const) {
        const readable = toReadable(parseInterchanges(bytes, { lineBreaks, mode }));
        const outcome = fromReadable(JSON.parse(JSON.stringify(readable)));
        expect(outcome.ok && Buffer.compare(outcome.bytes, bytes)).toBe(0);
      }
    }
  });

  test("places of faults are bytes of the file, also after a byte-order mark and removed line breaks", () => {
    const bytes = readSample("214/edifabric-shipment-status.edi");
    const error = firstError(parseInterchanges(bytes));
    expect(
      Buffer.from(bytes)
        .subarray(error!.at.offset, error!.at.offset + 11)
        .toString(),
    ).toBe("2*000000001");
    const wrapped = readSample("210/staedi-210-80col-wrap.edi");
    const broken = Buffer.from(Buffer.from(wrapped).toString().replace("SE*31*1305", "SE*30*1305"));
    const found = firstError(parseInterchanges(broken, { lineBreaks: "remove" }));
    expect(found!.code).toBe("set_segment_count");
    expect(broken.subarray(found!.at.offset, found!.at.offset + 7).toString()).toBe("30*1305");
  });
});
