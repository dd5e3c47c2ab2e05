import {
  bindBinaryScript,
  type BinaryScriptResult,
  type ScriptArgument,
} from "../../platform/redis/binary-script.ts";
import type { RedisClient, Script } from "../../platform/redis/script.ts";

/** What one call asks of `batch.lua`. */
interface Ask {
  verb: "a" | "f" | "b";
  /** All with one slot; the same array for calls of one integration, as far as possible. */
  keys: readonly string[];
  args: readonly (string | number)[];
  resolve: (reply: unknown) => void;
  reject: (error: Error) => void;
}

/** Asks whose keys one script may touch: those of a provider on a Cluster, all of them elsewhere. */
interface Lane {
  waiting: Ask[];
  isScheduled: boolean;
  scripts: number;
}

/** Asks in one script. One takes 20 to 40 µs, and meanwhile nobody else is served by this Redis. */
const BATCH_SIZE_MAX = 96;
/** Scripts of a lane that may be under way; what comes meanwhile makes the next one larger. */
const SCRIPTS_MAX = 2;
/** Asks that are worth a second script while one is under way: waking Redis up costs as much as several of them. */
const SECOND_SCRIPT_SIZE = 16;

/**
 * Gathers the admissions and ends of calls of one turn of the event loop, and what comes while Redis is busy with those
 * before, into one script: one command to parse, one sync of the disk and one wake-up for all of them.
 */
export class ScriptBatcher {
  readonly #run: (keys: readonly string[], args: readonly ScriptArgument[]) => Promise<BinaryScriptResult>;
  readonly #isCluster: boolean;
  readonly #lanes = new Map<string, Lane>();

  /** @param script quotas.lua, the functions and batch.lua */
  constructor(client: RedisClient, script: Script) {
    this.#run = bindBinaryScript(client, script, { replicas: 0, timeoutMs: 0 });
    this.#isCluster = "nodes" in client;
  }

  /**
   * @returns the output of admit.lua, finish.lua or block.lua
   * @throws what Redis says of this call, or why it says nothing
   */
  ask(verb: Ask["verb"], keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const name = this.#isCluster ? tagOf(keys[0]!) : "";
    let lane = this.#lanes.get(name);
    if (lane === undefined) this.#lanes.set(name, (lane = { waiting: [], isScheduled: false, scripts: 0 }));
    const { waiting } = lane;
    return new Promise((resolve, reject) => {
      waiting.push({ verb, keys, args, resolve, reject });
      this.#schedule(name, lane);
    });
  }

  #schedule(name: string, lane: Lane): void {
    if (lane.isScheduled) return;
    if (lane.waiting.length === 0) {
      if (lane.scripts === 0) this.#lanes.delete(name);
      return;
    }
    if (lane.scripts >= SCRIPTS_MAX || (lane.scripts > 0 && lane.waiting.length < SECOND_SCRIPT_SIZE)) return;
    lane.isScheduled = true;
    setImmediate(() => {
      lane.isScheduled = false;
      lane.scripts++;
      void this.#send(lane, lane.waiting.splice(0, BATCH_SIZE_MAX)).finally(() => {
        lane.scripts--;
        this.#schedule(name, lane);
      });
      this.#schedule(name, lane);
    });
  }

  async #send(lane: Lane, asks: readonly Ask[]): Promise<void> {
    try {
      const { keys, args } = compose(asks);
      const { reply } = await this.#run(keys, args);
      const replies = JSON.parse(reply as string) as unknown[];
      asks.forEach(({ resolve, reject }, index) => {
        const answer = replies[index] as [string, string];
        if (answer[0] === "error") reject(new Error(answer[1]));
        else resolve(answer);
      });
    } catch (error) {
      for (const { reject } of asks) reject(error as Error);
      // Those behind it would wait as long again for the same silence.
      for (const { reject } of lane.waiting.splice(0)) reject(error as Error);
    }
  }
}

function compose(asks: readonly Ask[]): { keys: string[]; args: (string | number)[] } {
  const numbers = new Map<readonly string[], number>();
  const keys: string[] = [];
  const lengths: number[] = [];
  const calls: (string | number)[] = [];
  for (const { verb, keys: own, args } of asks) {
    let number = numbers.get(own);
    if (number === undefined) {
      numbers.set(own, (number = numbers.size + 1));
      keys.push(...own);
      lengths.push(own.length);
    }
    calls.push(verb, number, args.length, ...args);
  }
  return { keys, args: [lengths.length, ...lengths, ...calls] };
}

/** What decides the slot of a key (Redis Cluster specification, "Hash tags"). */
function tagOf(key: string): string {
  return key.slice(0, key.indexOf("}"));
}
