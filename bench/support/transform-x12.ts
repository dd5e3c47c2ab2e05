import { deepStrictEqual } from "node:assert/strict";
import { X12FatInterchange, X12Parser } from "node-x12";
import { X12parser } from "x12-parser";
import { compileMapping } from "../../src/domain/transformations/mapping/compile-mapping.ts";
import type { CompiledMapping } from "../../src/domain/transformations/mapping/mapping-result.ts";
import { SYSTEM_TEMPLATES } from "../../src/domain/transformations/system-templates.ts";
import { buildTree } from "../../src/platform/x12/build-tree.ts";
import { fromReadable } from "../../src/platform/x12/from-readable.ts";
import { parseInterchanges } from "../../src/platform/x12/parse-interchanges.ts";
import { parseX12Document } from "../../src/platform/x12/parse-x12-document.ts";
import { toReadable } from "../../src/platform/x12/readable.ts";
import { writeX12Document, envelopeOf } from "../../src/platform/x12/write-x12-document.ts";
import { loadTender, wrap } from "../../test/x12/documents.ts";
import { type Cell, formatTable, rounded } from "./table.ts";
import {
  compareRates,
  type Contender,
  type SectionOptions,
  type TransformSection,
} from "./transform-section.ts";

const TIME = new Date("2026-11-23T10:30:00Z");

/** A shipment status of about 1 KB with eight events. */
function shipmentStatus(): string {
  const events = Array.from({ length: 8 }, (_, index) => [
    `LX*${index + 1}`,
    `AT7*${["AF", "X6", "X1", "D1"][index % 4]}*NS***2026112${index % 8}*0${index}15*CT`,
    "MS1*COLUMBUS*OH*US",
    "MS2*SCAC*5301",
  ]);
  const body = ["B10*PRO-9*L-77*SCAC", "L11*88756818*BM", "L11*4471-20*PO", ...events.flat()];
  return wrap([{ code: "214", body }], { functionalId: "QM", terminator: "~\n" });
}

function mappingOf(code: string): CompiledMapping {
  return compileMapping(SYSTEM_TEMPLATES.find((one) => one.code === code)!.mappingRules, {});
}

/** Segments that x12-parser gives for a document. */
function readByStream(bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const parser = new X12parser("utf8");
    let segments = 0;
    parser.on("data", () => segments++);
    parser.on("end", () => resolve(segments));
    parser.on("error", reject);
    parser.end(bytes);
  });
}

function segmentsByPeer(text: string): number {
  const parsed = new X12Parser(true).parse(text);
  if (parsed instanceof X12FatInterchange) throw new Error("one interchange is wanted");
  const groups = parsed.functionalGroups;
  const inner = groups.flatMap(({ transactions }) => transactions).map(({ segments }) => segments.length + 2);
  return 2 + groups.length * 2 + inner.reduce((sum, count) => sum + count, 0);
}

function ownSegments(bytes: Uint8Array): number {
  const document = parseInterchanges(bytes);
  return document.text.split("~").length - 1;
}

/** All read the same documents, and what is written is what was read. */
async function compareOutputs(tender: Buffer, status: Buffer): Promise<void> {
  for (const bytes of [tender, status]) {
    const own = ownSegments(bytes);
    deepStrictEqual(segmentsByPeer(Buffer.from(bytes).toString()), own);
    deepStrictEqual(await readByStream(Buffer.from(bytes.toString().trim())), own);
    deepStrictEqual(parseX12Document(bytes).document.accepted, true);
    const back = fromReadable(toReadable(parseInterchanges(bytes)));
    deepStrictEqual(back.ok && Buffer.compare(back.bytes, bytes), 0);
  }
}

/** Reads `bytes` and maps its only set. @throws Error when the mapping fails */
function mapOnce(bytes: Uint8Array, mapping: CompiledMapping): unknown {
  const { input } = parseX12Document(bytes).sets[0]!;
  const result = mapping.run(input);
  if (result instanceof Promise || !result.ok) throw new Error("the mapping must give a document at once");
  return result.document;
}

/** A contender that does one piece of work after the other. */
const each = (name: string, work: () => unknown): Contender => ({
  name,
  run(count) {
    for (let done = 0; done < count; done++) work();
  },
});

/** Reads `bytes` by the streams of x12-parser. */
const streamReader = (bytes: Uint8Array): Contender => ({
  name: "x12-parser 1.3.0, 204",
  async run(count) {
    for (let done = 0; done < count; done++) {
      await readByStream(bytes);
      // Its streams are only let go in a turn of the event loop; else gigabytes of them slow down all that follow.
      if (done % 20 === 0) await new Promise(setImmediate);
    }
  },
});

/**
 * X12 on one core: reading against node-x12 in strict mode and x12-parser, loops and positions, a 204 to a load, a 214 to a
 * status and back. Peers read the same documents; none of them checks elements.
 */
export async function measureX12(options: SectionOptions): Promise<TransformSection> {
  const tenderText = loadTender();
  const tender = Buffer.from(tenderText);
  const status = Buffer.from(shipmentStatus());
  const toLoad = mappingOf("x12-204-to-load");
  const toStatus = mappingOf("x12-214-to-load-status");
  const to214 = mappingOf("load-status-to-x12-214");
  await compareOutputs(tender, status);
  const peer = new X12Parser(true);
  const statusRoundTrip = (): void => {
    const made = to214.run(mapOnce(status, toStatus));
    if (made instanceof Promise || !made.ok) throw new Error("the mapping must give a document at once");
    const written = writeX12Document(made.document, envelopeOf(made.document, TIME));
    if (!written.ok) throw new Error(written.faults[0]!.message);
  };
  statusRoundTrip();
  const results = await compareRates(
    [
      each("node-x12 1.7.1 strict, 204", () => peer.parse(tenderText)),
      each("tokenise + envelope checks, 204", () => parseInterchanges(tender)),
      each("the same + loops and positions", () =>
        buildTree(parseInterchanges(tender).interchanges[0]!.groups[0]!.sets[0]!),
      ),
      each("every element checked + readable JSON", () => parseX12Document(tender)),
      each("the same + mapped to a load (204 → JSON)", () => JSON.stringify(mapOnce(tender, toLoad))),
      each("214 → readable JSON → the same bytes", () => fromReadable(toReadable(parseInterchanges(status)))),
      each("214 → status → 214", statusRoundTrip),
    ],
    options,
  );
  // Last and by itself: its streams leave gigabytes behind, which slow down whatever shares the process.
  results.push(...(await compareRates([streamReader(tender)], options)));
  const rate = (name: string): number => results.find((one) => one.name === name)!.perSecond;
  const node = rate("node-x12 1.7.1 strict, 204");
  const rows = results.map(({ name, perSecond }): Cell[] => [
    name,
    rounded(perSecond, 0),
    rounded(perSecond / node, 2),
  ]);
  const envelope = rate("tokenise + envelope checks, 204");
  return {
    sections: [
      `## X12 (204 of ${tender.byteLength} bytes, 214 of ${status.byteLength})`,
      formatTable(["one core", "a second", "× node-x12"], rows),
    ],
    data: { results, tenderBytes: tender.byteLength, statusBytes: status.byteLength },
    verdict: { x12MapPerSecond: Math.round(rate("the same + mapped to a load (204 → JSON)")) },
    gates: [
      {
        name: "X12: tokenise + envelope checks against node-x12 strict",
        value: rounded(envelope / node, 2),
        atLeast: 1.5,
      },
      {
        name: "X12: tree with positions and loops, a second",
        value: Math.round(rate("the same + loops and positions")),
        atLeast: 20_000,
      },
      {
        name: "X12: 204 read + mapped, a second",
        value: Math.round(rate("the same + mapped to a load (204 → JSON)")),
        atLeast: 10_000,
      },
    ],
  };
}
