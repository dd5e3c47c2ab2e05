import { describe, expect, test } from "bun:test";
import { X12FatInterchange, X12Interchange, X12Parser } from "node-x12";
import { firstError } from "../../src/platform/x12/model.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { expectations, rawSegments, readSample, samplesAreThere } from "./samples.ts";

/**
 * Where node-x12 1.7.1 in strict mode and we differ, each with its reason. In all other files both refuse, or both read
 * the same segments.
 */
const DIFFERENCES: Readonly<Record<string, { peer: "reads" | "refuses"; why: string }>> = {
  "210/edifabric-freight-invoice.edi": {
    peer: "refuses",
    why: "a byte-order mark before ISA is no part of the document",
  },
  "997/edifabric-997.edi": { peer: "refuses", why: "the same byte-order mark" },
  "odd/staedi-isb-ise-ta1.edi": {
    peer: "refuses",
    why: "ISB and ISE are control segments that may stand between ISA and GS",
  },
};

/** node-x12 rewrites the numbers of envelopes without leading zeros (`IEA*1*2`); we keep what was sent. */
function withoutZeros(segments: readonly string[] | null): string[] | null {
  const numbers: Readonly<Record<string, readonly number[]>> = {
    ISA: [13],
    GS: [6],
    GE: [1, 2],
    SE: [1],
    IEA: [1, 2],
  };
  return (segments ?? []).length === 0
    ? null
    : segments!.map((segment) => {
        const elements = segment.split("*");
        for (const place of numbers[elements[0]!] ?? [])
          elements[place] = elements[place]!.replace(/^0+(?=\d)/, "");
        return elements.join("*");
      });
}

/** Segments as node-x12 holds them, in the order of the document. */
function peerSegments(name: string): string[] | null {
  const text = Buffer.from(readSample(name)).toString();
  let parsed: X12Interchange | X12FatInterchange;
  try {
    parsed = new X12Parser(true).parse(text);
  } catch {
    return null;
  }
  const interchanges = parsed instanceof X12FatInterchange ? parsed.interchanges : [parsed];
  return interchanges.flatMap((interchange) =>
    [
      interchange.header,
      ...interchange.functionalGroups.flatMap((group) => [
        group.header,
        ...group.transactions.flatMap((set) => [set.header, ...set.segments, set.trailer]),
        group.trailer,
      ]),
      interchange.trailer,
    ].map((segment) => [segment.tag, ...segment.elements.map(({ value }) => value)].join("*")),
  );
}

describe.skipIf(!samplesAreThere)("node-x12 in strict mode", () => {
  test.each(expectations)("%s: the same segments, or a difference with its reason", (name) => {
    const document = parseInterchanges(readSample(name));
    const ours = firstError(document) === null ? rawSegments(document) : null;
    const peers = peerSegments(name);
    const difference = DIFFERENCES[name];
    if (difference === undefined) return expect(withoutZeros(peers)).toEqual(withoutZeros(ours));
    expect(peers === null ? "refuses" : "reads").toBe(difference.peer);
    expect(peers).not.toEqual(ours);
  });

  test("the table of differences stays short", () => {
    expect(Object.keys(DIFFERENCES).length).toBeLessThanOrEqual(10);
  });
});
