import type { Runtime } from "../../platform/runtime.ts";
import type { DocumentFailure, DocumentOutcome } from "./document-fault.ts";
import type { Comparison, SourceDocument } from "./document-tasks.ts";
import { documentThreadsOf, ThreadFailure } from "./document-threads.ts";
import type { Recipe } from "./load-template.ts";
import type { MapContext } from "./mapping/mapping-result.ts";
import type { ShadowReport } from "./preview-schema.ts";

/** A recent document; `source` undefined: it cannot be compared. */
export interface ShadowDocument {
  id: string;
  source: SourceDocument | undefined;
  context: MapContext;
}

type Finding = ShadowReport["findings"][number];
type Kind = Finding["kind"] | "equal";

/** Findings that are told; the others are counted. */
const FINDINGS_MAX = 20;
/** Faults that a finding shows of one version. */
const FAULTS_SHOWN_MAX = 5;

/** Time for both versions over one document. */
const COMPARISON_DEADLINE_MS = 10_000;
/** Time for the whole run: somebody waits for the answer. What is left then counts as skipped. */
const RUN_MS = 25_000;

/** Puts documents through two versions, outside the event loop, and tells where they differ. */
export async function shadowRun(
  runtime: Runtime,
  key: string,
  versions: { before: Recipe; after: Recipe },
  documents: AsyncIterable<ShadowDocument>,
): Promise<Omit<ShadowReport, "baselineVersion" | "candidateVersion">> {
  const counts: Record<Kind, number> = {
    equal: 0,
    different: 0,
    newlyFailing: 0,
    newlyPassing: 0,
    failingBoth: 0,
  };
  const findings: Finding[] = [];
  const untilMs = performance.now() + RUN_MS;
  let skipped = 0;
  for await (const { id, source, context } of documents) {
    if (source === undefined || performance.now() > untilMs) {
      skipped++;
      continue;
    }
    const comparison = await compare(runtime, key, { ...versions, source, context });
    if (comparison === undefined) {
      skipped++;
      continue;
    }
    const kind = kindOf(comparison);
    counts[kind]++;
    if (kind !== "equal" && findings.length < FINDINGS_MAX) findings.push(findingOf(id, kind, comparison));
  }
  const compared = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { compared, ...counts, skipped, findings };
}

async function compare(
  runtime: Runtime,
  key: string,
  input: { before: Recipe; after: Recipe; source: SourceDocument; context: MapContext },
): Promise<Comparison | undefined> {
  try {
    return await documentThreadsOf(runtime).run("compare", input, {
      key,
      deadlineMs: COMPARISON_DEADLINE_MS,
    });
  } catch (error) {
    if (error instanceof ThreadFailure) return undefined;
    throw error;
  }
}

function kindOf({ before, after, differences }: Comparison): Kind {
  if (before.ok && after.ok) return differences.length === 0 ? "equal" : "different";
  if (before.ok) return "newlyFailing";
  return after.ok ? "newlyPassing" : "failingBoth";
}

function findingOf(
  documentId: string,
  kind: Finding["kind"],
  { before, after, differences }: Comparison,
): Finding {
  return {
    documentId,
    kind,
    differences,
    baselineFailure: failureOf(before),
    candidateFailure: failureOf(after),
  };
}

function failureOf(outcome: DocumentOutcome): Finding["baselineFailure"] {
  if (outcome.ok) return null;
  const { code, message, faults } = outcome as DocumentFailure;
  return { code, message, faults: faults.slice(0, FAULTS_SHOWN_MAX) };
}
