import type { X12Segment } from "./model.ts";

/** One HL segment with what belongs to it, up to the next HL. */
export interface HierarchyNode {
  /** HL01 and HL03. */
  id: string;
  level: string;
  hl: X12Segment;
  segments: X12Segment[];
  children: HierarchyNode[];
}

export interface HierarchyFault {
  code: "hierarchy_id_duplicate" | "hierarchy_parent_unknown" | "hierarchy_child_flag";
  hl: X12Segment;
  element: number;
}

/**
 * Nests segments by their HL segments: HL02 names the parent, which must stand before. An HL with an unknown parent
 * becomes a root, so that nothing is lost. Segments before the first HL belong to none.
 */
export function buildHierarchy(segments: readonly X12Segment[]): {
  roots: HierarchyNode[];
  faults: HierarchyFault[];
} {
  const roots: HierarchyNode[] = [];
  const faults: HierarchyFault[] = [];
  const nodes = new Map<string, HierarchyNode>();
  let open: HierarchyNode | null = null;
  for (const segment of segments) {
    if (segment.id !== "HL") {
      open?.segments.push(segment);
      continue;
    }
    const [, id = "", parentId = "", level = ""] = segment.elements;
    open = { id, level, hl: segment, segments: [segment], children: [] };
    if (nodes.has(id)) faults.push({ code: "hierarchy_id_duplicate", hl: segment, element: 1 });
    const parent = parentId === "" ? undefined : nodes.get(parentId);
    if (parentId !== "" && parent === undefined) {
      faults.push({ code: "hierarchy_parent_unknown", hl: segment, element: 2 });
    }
    (parent?.children ?? roots).push(open);
    nodes.set(id, open);
  }
  for (const { hl, children } of nodes.values()) {
    const flag = hl.elements[4] ?? "";
    if (flag !== "" && (flag === "1") !== children.length > 0) {
      faults.push({ code: "hierarchy_child_flag", hl, element: 4 });
    }
  }
  return { roots, faults };
}
