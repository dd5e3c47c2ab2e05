import { type LoopNode, type SetTree, buildTree } from "./build-tree.ts";
import { elementKey, type ReadableValue, splitElement } from "./element-values.ts";
import type { Separators, X12Document, X12Group, X12Interchange, X12Segment, X12Set } from "./model.ts";
import { segmentsOf } from "./tables/segments.ts";
import type { LoopUse, SegmentUse } from "./tables/set-table.ts";
import type { SegmentRule } from "./tables/table-notation.ts";

/** A segment's elements by their ids (`B204`). In a list of segments also `id`. */
export type ReadableSegment = { [element: string]: ReadableValue };

/** A set or a loop: segments by id, loops as `loop0300`; or all segments in a list as `segments`. */
export interface ReadableLoop {
  [name: string]: ReadableSegment | ReadableSegment[] | ReadableLoop | ReadableLoop[];
}

export interface ReadableGroup {
  GS: ReadableSegment;
  sets: ReadableLoop[];
  GE: ReadableSegment;
}

/** Nested, or with all its segments in a list when its envelope does not close. */
export type ReadableInterchange = { separators: Separators } & (
  | { ISA: ReadableSegment; services?: ReadableSegment[]; groups: ReadableGroup[]; IEA: ReadableSegment }
  | { segments: ReadableSegment[] }
);

/** What JSON needs besides the segments to give back the same bytes. */
export interface ReadableLayout {
  encoding: X12Document["encoding"];
  /** Before the first segment: byte-order mark, white space; the whole document when it has no segment. */
  leading: string;
  /** After a segment's terminator, as most segments have it. */
  newline: string;
  /** The same after single segments, by their place in the document (1 = first). */
  gaps: { [segment: string]: string };
  /** False when the last segment has no terminator. */
  terminated: boolean;
  /** Line breaks that were taken out of the document before reading: offset in the original text, and text. */
  lineBreaks: { offset: number; text: string }[];
}

export interface ReadableDocument {
  x12: ReadableLayout;
  interchanges: ReadableInterchange[];
  /** Labels of the segments and elements that occur, by id. Not read when going back. */
  labels: { [id: string]: string };
}

/**
 * A document as JSON, named by segment and element ids. `fromReadable` gives back the same bytes, also for documents with
 * faults: what does not fit its table is a list of segments, and what is outside segments is kept in `x12`.
 */
export function toReadable(document: X12Document): ReadableDocument {
  const labels: ReadableDocument["labels"] = {};
  return {
    x12: readLayout(document),
    interchanges: document.interchanges.map((interchange) => readInterchange(interchange, labels)),
    labels,
  };
}

/**
 * One set as JSON, as `toReadable` has it.
 *
 * @param options.labels gets the labels of what occurs
 * @param options.tree the set's tree, where it was built before
 * @param options.ready JSON of segments that were read before, at their places in the set; not used with labels
 */
export function setToReadable(
  set: X12Set,
  options: {
    labels?: ReadableDocument["labels"];
    tree?: SetTree;
    ready?: readonly (ReadableSegment | undefined)[];
  } = {},
): ReadableLoop {
  const { ordered, root } = options.tree ?? buildTree(set);
  const writer = new SegmentWriter(set.separators, set.version, options.labels ?? null, {
    segments: options.ready ?? [],
    first: set.segments[0]?.ordinal ?? 0,
  });
  return ordered
    ? readLoop(root, writer)
    : { segments: set.segments.map((segment) => writer.listed(segment)) };
}

function readInterchange(
  interchange: X12Interchange,
  labels: ReadableDocument["labels"],
): ReadableInterchange {
  const { separators, isa, iea, services, groups } = interchange;
  const writer = new SegmentWriter(separators, "004010", labels);
  if (iea === null || !isClosed(interchange)) {
    return {
      separators,
      segments: segmentsOfInterchange(interchange).map((segment) => writer.listed(segment)),
    };
  }
  return {
    separators,
    ISA: writer.named(isa),
    ...(services.length > 0 && { services: services.map((segment) => writer.listed(segment)) }),
    groups: groups.map((group) => ({
      GS: writer.named(group.gs),
      sets: group.sets.map((set) => setToReadable(set, { labels })),
      GE: writer.named(group.ge!),
    })),
    IEA: writer.named(iea),
  };
}

function isClosed(interchange: X12Interchange): boolean {
  const closed = (group: X12Group): boolean =>
    group.ge !== null && group.strays.length === 0 && group.sets.every((set) => set.complete);
  return interchange.strays.length === 0 && interchange.groups.every(closed);
}

/** All segments of an interchange in the order of the document. */
export function segmentsOfInterchange(interchange: X12Interchange): X12Segment[] {
  const { isa, iea, services, strays, groups } = interchange;
  const segments = [isa, ...services, ...strays];
  for (const group of groups) {
    segments.push(group.gs, ...group.strays);
    for (const set of group.sets) for (const segment of set.segments) segments.push(segment);
    if (group.ge !== null) segments.push(group.ge);
  }
  if (iea !== null) segments.push(iea);
  return segments.sort((left, right) => left.ordinal - right.ordinal);
}

/** Segments and loops of a node, grouped by id; the table's order gives their own back. */
function readLoop(node: LoopNode, writer: SegmentWriter): ReadableLoop {
  const out: ReadableLoop = {};
  for (const child of node.children) {
    const use = child.kind === "loop" ? child.use! : segmentUseOf(node, child);
    const name = use.kind === "loop" ? use.name : use.id;
    const many = use.usesMax > 1;
    const value = child.kind === "loop" ? readLoop(child, writer) : writer.named(child);
    const there = out[name];
    // More than the table allows (a fault) makes a list of what would be single.
    if (there === undefined) out[name] = (many ? [value] : value) as ReadableLoop[string];
    else if (Array.isArray(there)) (there as unknown[]).push(value);
    else out[name] = [there, value] as ReadableLoop[];
  }
  return out;
}

function segmentUseOf({ use }: LoopNode, { id }: X12Segment): SegmentUse | LoopUse {
  return use!.children[use!.places.get(id)!]!;
}

/** Writes segments as JSON and collects their labels, where somebody wants them. */
export class SegmentWriter {
  readonly #separators: Separators;
  readonly #rules: ReadonlyMap<string, SegmentRule>;
  readonly #labels: ReadableDocument["labels"] | null;
  readonly #ready: { segments: readonly (ReadableSegment | undefined)[]; first: number };

  /** @param ready what is written already, from the segment with the ordinal `first` on */
  constructor(
    separators: Separators,
    version: string,
    labels: ReadableDocument["labels"] | null,
    ready: { segments: readonly (ReadableSegment | undefined)[]; first: number } = { segments: [], first: 0 },
  ) {
    this.#separators = separators;
    this.#rules = segmentsOf(version);
    this.#labels = labels;
    this.#ready = ready;
  }

  named(segment: X12Segment): ReadableSegment {
    const labels = this.#labels;
    const ready = labels === null ? this.#ready.segments[segment.ordinal - this.#ready.first] : undefined;
    if (ready !== undefined) return ready;
    const { id, elements } = segment;
    const rule = this.#rules.get(id);
    if (labels !== null && rule !== undefined) labels[id] ??= rule.label;
    const out: ReadableSegment = {};
    const last = elements.length - 1;
    for (let element = 1; element <= last; element += 1) {
      const raw = elements[element]!;
      if (raw === "" && element < last) continue;
      const place = rule?.places[element - 1] ?? null;
      if (labels === null && place !== null && place.isPlain) {
        out[place.key] = raw;
        continue;
      }
      const key = place === null ? elementKey(id, element) : place.key;
      if (labels !== null && place !== null) labels[key] ??= place.label;
      // ISA is of fixed form, and its last element is the component separator itself.
      const whole = raw === "" || id === "ISA" || place?.element?.type === "B";
      out[key] = whole ? raw : splitElement(raw, key, place, this.#separators);
    }
    return out;
  }

  listed(segment: X12Segment): ReadableSegment {
    return { id: segment.id, ...this.named(segment) };
  }
}

function readLayout(document: X12Document): ReadableLayout {
  const { text, encoding, lineBreaks } = document;
  const segments = document.interchanges.flatMap((interchange) =>
    segmentsOfInterchange(interchange).map((segment) => ({
      start: segment.start,
      end: segment.end,
      terminator: interchange.separators.segment,
    })),
  );
  const between = segments.map(({ end, terminator }, index) =>
    text.slice(end + terminator.length, segments[index + 1]?.start ?? text.length),
  );
  const newline = mostFrequent(between.slice(0, -1));
  const gaps: ReadableLayout["gaps"] = {};
  for (const [index, gap] of between.entries()) if (gap !== newline) gaps[index + 1] = gap;
  const last = segments.at(-1);
  const terminated = last === undefined || text.startsWith(last.terminator, last.end);
  // Without its terminator nothing but white space can follow the last segment.
  if (last !== undefined && !terminated) gaps[segments.length] = text.slice(last.end);
  return {
    encoding,
    leading: text.slice(0, segments[0]?.start ?? text.length),
    newline,
    gaps,
    terminated,
    lineBreaks: lineBreaks.map((lineBreak) => ({ ...lineBreak })),
  };
}

function mostFrequent(values: readonly string[]): string {
  const counts = new Map<string, number>();
  let best = "";
  for (const value of values) {
    const count = (counts.get(value) ?? 0) + 1;
    counts.set(value, count);
    if (count > (counts.get(best) ?? 0)) best = value;
  }
  return best;
}
