import { type FaultSink, recordFault } from "./fault-recorder.ts";
import type { FaultCode } from "./fault-codes.ts";
import type { X12Fault, X12Segment, X12Set } from "./model.ts";
import { findSet } from "./tables/find-set.ts";
import { segmentsOf } from "./tables/segments.ts";
import { type LoopUse, type SetTable, startOf } from "./tables/set-table.ts";
import { isSegmentId } from "./tokenizer.ts";

/** One occurrence of a loop; the root is the whole set. */
export interface LoopNode {
  kind: "loop";
  /** Loop id of the table; "" for the root. */
  id: string;
  use: LoopUse | null;
  /** Place of the first segment in the set, 1 = ST. */
  position: number;
  children: (X12Segment | LoopNode)[];
}

export interface SetTree {
  table: SetTable | null;
  root: LoopNode;
  /** Every segment stood where the table has it: the loops in the table's order give back the segments in theirs. */
  ordered: boolean;
  /** Wrong order, missing or too many segments and loops. */
  faults: X12Fault[];
  /** Loop id of each segment of the set, "" in the set itself. */
  loopOf: string[];
}

/** An open loop while segments are sorted in. */
interface Frame {
  node: LoopNode;
  use: LoopUse;
  /** Child of the table where the loop has arrived, and how often it was used. */
  index: number;
  uses: number;
}

/**
 * Sorts a set's segments into the loops of its table. A segment goes to the innermost open loop that still has a place
 * for it, else outwards; what has no place stays where it stands and is a fault. Without a table all segments are children
 * of the root. Costs time in proportion to segments times the depth of the table (at most five).
 */
export function buildTree(set: X12Set): SetTree {
  const table = findSet(set.code);
  const root: LoopNode = { kind: "loop", id: "", use: table?.root ?? null, position: 1, children: [] };
  if (table === null) {
    root.children = [...set.segments];
    return { table, root, ordered: false, faults: [], loopOf: set.segments.map(() => "") };
  }
  return new TreeBuilder(set, table, root).build();
}

class TreeBuilder {
  readonly #set: X12Set;
  readonly #table: SetTable;
  readonly #tree: SetTree;
  readonly #frames: Frame[];
  readonly #sink: FaultSink;

  constructor(set: X12Set, table: SetTable, root: LoopNode) {
    this.#set = set;
    this.#table = table;
    this.#tree = { table, root, ordered: true, faults: [], loopOf: [] };
    this.#frames = [{ node: root, use: table.root, index: 0, uses: 0 }];
    const { settings, byteOffset, faultCount } = set.document;
    this.#sink = { settings, byteOffset, faultCount };
  }

  build(): SetTree {
    const { segments } = this.#set;
    for (let index = 0; index < segments.length; index += 1) this.#place(segments[index]!, index + 1);
    const last = segments.at(-1)!;
    // A set without its trailer is a fault of the envelope; the trailer's place does not count as missing.
    while (this.#frames.length > 0) this.#leave(this.#frames.pop()!, last, segments.length);
    return this.#tree;
  }

  #place(segment: X12Segment, position: number): void {
    const frames = this.#frames;
    let crowded = -1;
    for (let depth = frames.length - 1; depth >= 0; depth -= 1) {
      const frame = frames[depth]!;
      const index = frame.use.places.get(segment.id);
      if (index === undefined || index < frame.index) continue;
      const use = frame.use.children[index]!;
      if (index === frame.index && frame.uses >= use.usesMax) {
        // The first segment of a loop makes another loop, so that its parent tells whether there is room.
        if (crowded === -1 && (index > 0 || depth === 0)) crowded = depth;
        continue;
      }
      return this.#enter(depth, index, segment, position);
    }
    if (crowded !== -1) {
      const frame = frames[crowded]!;
      const { kind, id } = frame.use.children[frame.index]!;
      const code = kind === "loop" ? "loop_too_often" : "segment_too_often";
      this.#fault(code, segment, position, kind === "loop" ? id : frame.use.id);
      return this.#enter(crowded, frame.index, segment, position);
    }
    this.#stray(segment, position);
  }

  /** Goes to a child of the frame at `depth`, closing the loops within it. */
  #enter(depth: number, index: number, segment: X12Segment, position: number): void {
    while (this.#frames.length > depth + 1) this.#leave(this.#frames.pop()!, segment, position);
    const frame = this.#frames[depth]!;
    if (index > frame.index) {
      this.#passOver(frame, index, segment, position);
      frame.index = index;
      frame.uses = 0;
    }
    frame.uses += 1;
    const use = frame.use.children[index]!;
    if (use.kind === "segment") {
      frame.node.children.push(segment);
      this.#tree.loopOf.push(frame.use.id);
      return;
    }
    const node: LoopNode = { kind: "loop", id: use.id, use, position, children: [] };
    frame.node.children.push(node);
    this.#frames.push({ node, use, index: 0, uses: 0 });
    this.#enter(this.#frames.length - 1, 0, segment, position);
  }

  /** Reports what is mandatory between the frame's place and `end`. */
  #passOver(frame: Frame, end: number, segment: X12Segment, position: number): void {
    const first = frame.uses > 0 ? frame.index + 1 : frame.index;
    for (let index = first; index < end; index += 1) {
      const use = frame.use.children[index]!;
      if (!use.mandatory) continue;
      const id = startOf(use);
      if (id === "SE" && !this.#set.complete) continue;
      this.#fault(
        "segment_missing",
        { id, start: segment.start, ordinal: segment.ordinal },
        position,
        use.kind === "loop" ? use.id : frame.use.id,
      );
    }
  }

  #leave(frame: Frame, segment: X12Segment, position: number): void {
    this.#passOver(frame, frame.use.children.length, segment, position);
  }

  #stray(segment: X12Segment, position: number): void {
    const frame = this.#frames.at(-1)!;
    this.#tree.ordered = false;
    // What is no segment id at all was told when the document was read.
    if (isSegmentId(segment.id)) {
      const known = segmentsOf(this.#set.version).has(segment.id);
      const code = this.#table.segmentIds.has(segment.id)
        ? "segment_out_of_order"
        : known
          ? "segment_not_in_set"
          : "segment_unknown";
      this.#fault(code, segment, position, frame.use.id);
    }
    frame.node.children.push(segment);
    this.#tree.loopOf.push(frame.use.id);
  }

  #fault(
    code: FaultCode,
    segment: Pick<X12Segment, "id" | "start" | "ordinal">,
    position: number,
    loop: string,
  ): void {
    recordFault(this.#sink, this.#tree.faults, code, segment, {
      place: this.#set.place,
      position,
      loop: loop === "" ? null : loop,
    });
  }
}
