import { inboundKeys, seenKey, seenSpanKey } from "../../platform/redis/keys.ts";
import { bindScript } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { clockToleranceMs } from "./dedupe-window.ts";
import forgetLua from "./forget-seen.lua" with { type: "text" };
import measureLua from "./measure-seen.lua" with { type: "text" };

/** Time from the announcement to the forgetting: every worker reads it several times meanwhile. */
const ANNOUNCE_MS = 10_000;

/** What is done to the generations of one server. */
export type SeenStep = "keep" | "drop" | "rotate";

/** What the script answers for one partition. */
type ForgetOutcome = "announced" | "waiting" | "busy" | "forgotten" | "begun" | "nothing";

/**
 * Decides how to keep event ids within their memory. A current generation of half the limit takes the place of the
 * previous one, so that the newest half of what fits is always remembered; else the previous one goes.
 *
 * @param bytes of both generations of all partitions of one server
 */
export function planSeenStep(bytes: { current: number; previous: number }, limitBytes: number): SeenStep {
  if (bytes.current >= limitBytes / 2) return "rotate";
  return bytes.current + bytes.previous > limitBytes ? "drop" : "keep";
}

interface Measured {
  partition: number;
  limitBytes: number;
  current: number;
  previous: number;
}

/**
 * Forgets event ids before their time where they take more than DEDUPE_MEMORY_SHARE of a server's memory; Postgres
 * judges repetitions of what was forgotten. Each step is announced and done by a later call.
 *
 * @param announceMs time between the two
 * @returns partitions whose ids were forgotten by this call
 * @throws when Redis is away
 */
export async function limitDedupeMemory(runtime: Runtime, announceMs = ANNOUNCE_MS): Promise<number> {
  const { config, clock } = runtime;
  const hotMs = config.dedupeHotSeconds * 1000;
  const toleranceMs = clockToleranceMs(config.dedupeHotSeconds);
  const nowMs = clock.nowMs();
  const generation = Math.floor(nowMs / hotMs);
  const sinceSwitchMs = nowMs - generation * hotMs;
  // Around a switch processes may disagree about which generation is the current one.
  if (sinceSwitchMs < toleranceMs || hotMs - sinceSwitchMs < toleranceMs) return 0;
  const forget = bindScript(runtime.redis, { name: "hubForgetSeen", lua: forgetLua });
  let forgotten = 0;
  for (const partitions of (await measureServers(runtime, generation)).values()) {
    const step = planSeenStep(sumOf(partitions), partitions[0]!.limitBytes);
    if (step === "keep") continue;
    const outcomes = await Promise.all(
      partitions.map(
        ({ partition }) =>
          forget(
            [
              inboundKeys(partition).stream,
              seenKey(partition, generation),
              seenKey(partition, generation - 1),
              seenSpanKey(partition),
            ],
            [nowMs, generation * hotMs, step, announceMs, toleranceMs, 2 * config.dedupeHotSeconds],
          ) as Promise<ForgetOutcome>,
      ),
    );
    forgotten += outcomes.filter((outcome) => outcome === "forgotten").length;
  }
  return forgotten;
}

/** Partitions with their sizes, by the server that holds them. */
async function measureServers(runtime: Runtime, generation: number): Promise<Map<string, Measured[]>> {
  const { redis, config } = runtime;
  const measure = bindScript(redis, { name: "hubMeasureSeen", lua: measureLua });
  const servers = new Map<string, Measured[]>();
  await Promise.all(
    Array.from({ length: config.streamPartitions }, async (_, partition) => {
      const [server, memory, current, previous] = (await measure(
        [seenKey(partition, generation), seenKey(partition, generation - 1)],
        [],
      )) as [string, string, number, number];
      const measured = {
        partition,
        limitBytes: Number(memory) * config.dedupeMemoryShare,
        current: Number(current),
        previous: Number(previous),
      };
      const others = servers.get(server);
      if (others) others.push(measured);
      else servers.set(server, [measured]);
    }),
  );
  return servers;
}

function sumOf(partitions: readonly Measured[]): { current: number; previous: number } {
  return {
    current: partitions.reduce((sum, { current }) => sum + current, 0),
    previous: partitions.reduce((sum, { previous }) => sum + previous, 0),
  };
}
