import type { Moment } from "../support/fault-proxy.ts";
import type { ProcessName } from "../faults/hub-processes.ts";

/** Who is killed in a round, and when. */
export interface RoundPlan {
  victim: ProcessName;
  moment: { kind: "after"; delayMs: number } | ({ kind: "point"; server: "redis" | "postgres" } & Moment);
}

const VICTIMS: readonly ProcessName[] = ["edge", "worker", "redis", "postgres"];

/** Where the path of a webhook writes: its three steps from the socket to being finished. */
const POINTS = [
  { server: "redis", point: "accept" },
  { server: "postgres", point: "commit" },
  { server: "redis", point: "finish" },
] as const;

/** The steps that a victim takes part in; a step that it does not know it cannot die in. */
const POINTS_OF: Record<ProcessName, readonly (typeof POINTS)[number]["point"][]> = {
  edge: ["accept"],
  worker: ["commit", "finish"],
  redis: ["accept", "finish"],
  postgres: ["commit"],
};

const NTH_MAX = 30;
const DELAY_MAX_MS = 800;

/**
 * The plan that a seed stands for. Seeds in a row take the victims in turn, so that four rounds kill each once; two of
 * three strike at a named point, the others at any moment.
 */
export function planRound(seed: number): RoundPlan {
  const random = randomOf(seed);
  const victim = VICTIMS[seed % VICTIMS.length]!;
  if (random() < 1 / 3)
    return { victim, moment: { kind: "after", delayMs: Math.floor(random() * DELAY_MAX_MS) } };
  const names = POINTS_OF[victim];
  const point = names[Math.floor(random() * names.length)]!;
  const { server } = POINTS.find((each) => each.point === point)!;
  const nth = 1 + Math.floor(random() * NTH_MAX);
  const when = random() < 0.5 ? "before" : "after";
  return { victim, moment: { kind: "point", server, point, nth, when } };
}

/** One line that says what a round does. */
export function describePlan({ victim, moment }: RoundPlan): string {
  if (moment.kind === "after") return `SIGKILL of ${victim} after ${moment.delayMs} ms`;
  return `SIGKILL of ${victim} ${moment.when} ${moment.point} number ${moment.nth}`;
}

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
