import type { DocumentFailureCode } from "./document-fault.ts";

/**
 * Documents in a row that a version fails before it rests: fewer than the ten after which a subscription is disabled, for
 * which its receiver cannot help.
 */
export const FAILURES_MAX = 8;

/** Of these each failure costs a process its time or memory, so fewer are let happen. */
export const COSTLY_FAILURES_MAX = 5;

/** Lengths of pauses that follow one another; the last one repeats. */
export const PAUSE_SECONDS = [60, 300, 900, 3600] as const;

/** Failures that tell of the template. What a partner sends in a form that is none tells nothing of it. */
const COSTLY: ReadonlySet<DocumentFailureCode> = new Set(["transform_timeout", "transform_memory"]);
const TEMPLATES_OWN: ReadonlySet<DocumentFailureCode> = new Set([
  "mapping_failed",
  "output_refused",
  "output_unwritable",
  "transform_output_too_large",
]);

/** What this process has seen of one version for one tenant. */
export interface VersionHealth {
  failuresInARow: number;
  costlyInARow: number;
  /** A document that decides, after a pause, whether the version works again. */
  isProbed: boolean;
}

export type Admission = "go" | "probe" | "paused";

/** A version of which nothing bad is known. */
export function newHealth(): VersionHealth {
  return { failuresInARow: 0, costlyInARow: 0, isProbed: false };
}

/** Whether a document may be tried; after a pause one at a time. */
export function admit(health: VersionHealth, pausedUntilMs: number | undefined, nowMs: number): Admission {
  if (pausedUntilMs === undefined) return "go";
  if (nowMs < pausedUntilMs || health.isProbed) return "paused";
  health.isProbed = true;
  return "probe";
}

/**
 * Books how a document went.
 *
 * @param failure undefined: it passed
 * @returns whether the version is to rest from now on (again), or works again
 */
export function book(
  health: VersionHealth,
  admission: "go" | "probe",
  failure: DocumentFailureCode | undefined,
): "pause" | "resume" | undefined {
  if (admission === "probe") health.isProbed = false;
  if (failure === undefined) {
    health.failuresInARow = 0;
    health.costlyInARow = 0;
    return admission === "probe" ? "resume" : undefined;
  }
  const isCostly = COSTLY.has(failure);
  if (!isCostly && !TEMPLATES_OWN.has(failure)) return undefined;
  health.failuresInARow++;
  if (isCostly) health.costlyInARow++;
  const isOver = health.failuresInARow >= FAILURES_MAX || health.costlyInARow >= COSTLY_FAILURES_MAX;
  return admission === "probe" || isOver ? "pause" : undefined;
}
