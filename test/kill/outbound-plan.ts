import type { Moment } from "../support/fault-proxy.ts";
import { randomOf } from "./round-plan.ts";
import { OUTBOUND_PROCESSES, type OutboundProcess } from "./outbound-hub.ts";

/** One kill: once this share of the round's deliveries has arrived, at once or when a script's call comes by. */
export interface Strike {
  atShare: number;
  moment: Moment | undefined;
}

/** Who is killed in a round, and when. */
export interface OutboundPlan {
  victim: OutboundProcess;
  strikes: Strike[];
}

/** Scripts that a victim calls or runs; a call that it does not know it cannot die in. */
const POINTS_OF: Record<OutboundProcess, readonly ("publish" | "enqueue" | "finish")[]> = {
  edge: ["publish"],
  worker: ["enqueue", "finish"],
  scheduler: [],
  redis: ["publish", "enqueue", "finish"],
  postgres: [],
};

/** Shares between which the kills of a round lie; behind them too little is left to be in flight. */
const SHARES: readonly [number, number][] = [
  [0.05, 0.4],
  [0.5, 0.85],
];
const NTH_MAX = 20;

/** The plan that a seed stands for; seeds in a row take the victims in turn. */
export function planOutbound(seed: number): OutboundPlan {
  const random = randomOf(seed);
  const victim = OUTBOUND_PROCESSES[seed % OUTBOUND_PROCESSES.length]!;
  const points = POINTS_OF[victim];
  const strikes = SHARES.map(([from, to]): Strike => {
    const atShare = from + random() * (to - from);
    const point = points[Math.floor(random() * points.length * 1.5)];
    const nth = 1 + Math.floor(random() * NTH_MAX);
    const when = random() < 0.5 ? "before" : "after";
    return { atShare, moment: point === undefined ? undefined : { point, nth, when } };
  });
  return { victim, strikes };
}

/** One line that says what a round does. */
export function describeOutbound({ victim, strikes }: OutboundPlan): string {
  const moments = strikes.map(({ atShare, moment }) => {
    const share = `${Math.round(atShare * 100)} %`;
    return moment === undefined ? share : `${share} ${moment.when} ${moment.point} number ${moment.nth}`;
  });
  return `SIGKILLs of ${victim} at ${moments.join(" and ")}`;
}
