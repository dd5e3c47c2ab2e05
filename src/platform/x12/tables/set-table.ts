/** A segment of a set's or loop's table, in order. */
export interface SegmentUse {
  kind: "segment";
  id: string;
  mandatory: boolean;
  usesMax: number;
}

/** A loop; it starts with its first child, which every occurrence has. The set itself is the loop "". */
export interface LoopUse {
  kind: "loop";
  id: string;
  /** Its name in readable JSON: `loop0300`. */
  name: string;
  mandatory: boolean;
  /** Occurrences in one of its parent. */
  usesMax: number;
  children: readonly (SegmentUse | LoopUse)[];
  /** From the id of a segment to the child that is it or starts with it. */
  places: ReadonlyMap<string, number>;
}

export interface SetTable {
  code: string;
  version: string;
  /** GS01 of groups that carry it. */
  functionalId: string;
  label: string;
  root: LoopUse;
  /** Ids of all segments anywhere in it. */
  segmentIds: ReadonlySet<string>;
}

export interface SetText {
  code: string;
  version: string;
  functionalId: string;
  label: string;
  /**
   * One line a segment, `id M|O uses`, or a loop, `loop id M|O uses`, whose lines follow two spaces deeper. A use of 0 has
   * no limit.
   */
  structure: string;
}

interface OpenLoop {
  depth: number;
  id: string;
  mandatory: boolean;
  usesMax: number;
  children: (SegmentUse | LoopUse)[];
}

/** Compiles a set's table. @throws Error for a table with two places for one segment in one loop (our own mistake). */
export function defineSet(text: SetText): SetTable {
  const root: OpenLoop = { depth: -1, id: "", mandatory: true, usesMax: 1, children: [] };
  const open = [root];
  const segmentIds = new Set<string>();
  const closeTo = (depth: number): void => {
    while (open.length > 1 && open.at(-1)!.depth >= depth) {
      const loop = open.pop()!;
      open.at(-1)!.children.push(closeLoop(loop));
    }
  };
  for (const line of text.structure.split("\n").filter((row) => row.trim() !== "")) {
    const depth = (line.length - line.trimStart().length) / 2;
    closeTo(depth);
    const words = line.trim().split(/\s+/);
    const loop = words[0] === "loop";
    const [id = "", requirement, uses] = loop ? words.slice(1) : words;
    const mandatory = requirement === "M";
    const usesMax = Number(uses) || Number.MAX_SAFE_INTEGER;
    if (loop) open.push({ depth, id, mandatory, usesMax, children: [] });
    else {
      segmentIds.add(id);
      open.at(-1)!.children.push({ kind: "segment", id, mandatory, usesMax });
    }
  }
  closeTo(0);
  const { structure: _, ...rest } = text;
  return { ...rest, root: closeLoop(root), segmentIds };
}

function closeLoop(loop: OpenLoop): LoopUse {
  const places = new Map<string, number>();
  for (const [index, child] of loop.children.entries()) {
    const id = startOf(child);
    if (places.has(id)) throw new Error(`Loop ${loop.id} has two places for ${id}`);
    places.set(id, index);
  }
  const { id, mandatory, usesMax, children } = loop;
  return { kind: "loop", id, name: `loop${id}`, mandatory, usesMax, children, places };
}

/** The segment with which a use begins. */
export function startOf(use: SegmentUse | LoopUse): string {
  if (use.kind === "segment") return use.id;
  const first = use.children[0];
  if (first === undefined) throw new Error(`Loop ${use.id} is empty`);
  return startOf(first);
}
