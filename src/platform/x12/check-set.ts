import { buildTree, type SetTree } from "./build-tree.ts";
import { checkElements } from "./check-elements.ts";
import { type FaultSink, recordFault } from "./fault-recorder.ts";
import { buildHierarchy } from "./hierarchy.ts";
import type { X12Document, X12Fault, X12Set } from "./model.ts";
import { judge } from "./parse-interchanges.ts";
import { assembleSegment, cleanReading, readClean } from "./read-clean.ts";
import type { ReadableSegment } from "./readable.ts";
import { segmentsOf } from "./tables/segments.ts";

/**
 * Checks a set against its table: order, repetition and presence of segments and loops, then every element. A set without
 * a table is only checked for its HL hierarchy. The envelope's own faults (`set.faults`) are not repeated.
 *
 * @param tree the set's tree, where it was built before; the faults are added to its own
 * @param readable gets the JSON of the segments that were read on the way, at their places in the set
 * @returns faults in the order of the set's segments
 */
export function checkSet(
  set: X12Set,
  tree: SetTree = buildTree(set),
  readable: (ReadableSegment | undefined)[] | null = null,
): X12Fault[] {
  const { settings, byteOffset, faultCount } = set.document;
  const sink: FaultSink = { settings, byteOffset, faultCount };
  const { table, faults, loopOf } = tree;
  sink.faultCount += faults.length;
  if (table === null) {
    recordFault(sink, faults, "set_unknown", set.segments[0]!, { place: set.place, position: 1, element: 1 });
  } else {
    const rules = segmentsOf(set.version);
    const reading = cleanReading(set.document, set.separators);
    // ST and SE are the envelope's matter.
    for (let index = 1; index < set.segments.length; index += 1) {
      const segment = set.segments[index]!;
      const rule = rules.get(segment.id);
      if (rule === undefined || segment.id === "ST" || segment.id === "SE") continue;
      const values: (string | undefined)[] | null = readable === null ? null : [];
      if (readClean(reading, segment, rule, values)) {
        if (readable !== null && values !== null) readable[index] = assembleSegment(rule, values);
        continue;
      }
      const loop = loopOf[index] === "" ? null : loopOf[index]!;
      const detail = { place: set.place, position: index + 1, loop };
      checkElements({ sink, faults, segment, detail, separators: set.separators }, rule);
    }
  }
  checkHierarchy(set, sink, faults);
  return faults.length < 2 ? faults : faults.sort((left, right) => left.at.segment - right.at.segment);
}

/** Adds the faults of `checkSet` to each set of the document and judges it anew. Once per document. */
export function checkDocument(document: X12Document): void {
  for (const interchange of document.interchanges) {
    for (const group of interchange.groups) {
      for (const set of group.sets) {
        const found = checkSet(set);
        document.faultCount += found.length;
        set.faults.push(...found);
      }
    }
  }
  judge(document);
}

function checkHierarchy(set: X12Set, sink: FaultSink, faults: X12Fault[]): void {
  if (!set.segments.some((segment) => segment.id === "HL")) return;
  const first = set.segments[0]!.ordinal;
  for (const { code, hl, element } of buildHierarchy(set.segments).faults) {
    const position = hl.ordinal - first + 1;
    const value = hl.elements[element] ?? "";
    recordFault(sink, faults, code, hl, { place: set.place, position, element, value });
  }
}
