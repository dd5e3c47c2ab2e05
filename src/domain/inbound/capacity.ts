import { untilReady } from "../../platform/redis/info.ts";
import { bindScript, type RedisClient } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { type CapacityKeys, MEMORY_WATERMARK, readCapacityUse } from "./capacity-use.ts";
import lua from "./capacity.lua" with { type: "text" };

export type CapacityRefusal = "tenant_full" | "memory_full" | "redis_away";

/** What the last look at Redis said; read by every request without waiting. */
export interface Capacity {
  /** Why this tenant's requests are to be refused now; undefined: there is room. */
  refusal(tenantId: string): CapacityRefusal | undefined;
  /** False while every partition has room for more than can come before the next look. */
  isNearCapacity(): boolean;
}

/** Refresh of the sums: at 40,000 accepts a second a tenant overshoots its share by 10,000 entries at most. */
const POLL_EVERY_MS = 250;

/** Room that counts as far from full: twenty times what 40,000 accepts a second can add between two looks. */
const HEADROOM_ENTRIES = 200_000;

/** Failed looks, of at most a second each, after which Redis counts as away. */
const FAILURES_MAX = 2;

/** Time that a new connection has before the first look: until then a failure says nothing of Redis. */
const CONNECT_WAIT_MS = 5_000;

/** What a look at Redis sees. */
interface Sums {
  memoryFull: boolean;
  nearCapacity: boolean;
  fullTenants: ReadonlySet<string>;
}

/**
 * Starts looking at the sums that one partition's script cannot see: each tenant's entries over all partitions, and
 * Redis' memory. Ends with the runtime.
 *
 * @param keysOf stream and ledger of each partition of the topic
 */
export function startCapacityPoller(runtime: Runtime, keysOf: CapacityKeys): Capacity {
  const client = runtime.openRedis("ingest");
  const read = createReader(runtime, client, keysOf);
  let sums: Sums = { memoryFull: false, nearCapacity: true, fullTenants: new Set() };
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const poll = async (): Promise<void> => {
    if (stopped) return;
    try {
      sums = await read();
      failures = 0;
    } catch (error) {
      failures++;
      if (failures === FAILURES_MAX)
        runtime.log.warn({ err: error }, "Redis does not answer; senders get 503");
    }
    if (!stopped) timer = setTimeout(() => void poll(), POLL_EVERY_MS);
  };
  void untilReady(client, CONNECT_WAIT_MS).then(poll, poll);
  runtime.shutdown.add("capacity", () => {
    stopped = true;
    clearTimeout(timer);
  });
  return {
    refusal(tenantId) {
      if (failures >= FAILURES_MAX) return "redis_away";
      if (sums.memoryFull) return "memory_full";
      return sums.fullTenants.has(tenantId) ? "tenant_full" : undefined;
    },
    isNearCapacity: () => sums.nearCapacity || failures > 0,
  };
}

function createReader(runtime: Runtime, client: RedisClient, keysOf: CapacityKeys): () => Promise<Sums> {
  const { streamPartitions, streamCapacity, tenantCapacityShare } = runtime.config;
  const tenantEntriesMax = Math.floor(streamPartitions * streamCapacity * tenantCapacityShare);
  const readDepths = bindScript(client, { name: "hubCapacity", lua });
  return async () => {
    const use = await readCapacityUse(client, runtime.config, keysOf);
    // Below one tenant's share nobody can be over it, and the ledgers need not be read.
    const depths =
      use.entries < tenantEntriesMax
        ? []
        : await Promise.all(
            Array.from(
              { length: streamPartitions },
              (_, partition) => readDepths([keysOf(partition).ledger], []) as Promise<string[]>,
            ),
          );
    return {
      nearCapacity: use.entriesOfFullest > streamCapacity - HEADROOM_ENTRIES,
      memoryFull: use.memoryShare >= MEMORY_WATERMARK,
      fullTenants: tenantsOver(depths, tenantEntriesMax),
    };
  };
}

/**
 * Tenants whose entries over all partitions reach the limit.
 *
 * @param depths for each partition: tenant id, entries, tenant id, entries …
 */
export function tenantsOver(depths: readonly (readonly string[])[], entriesMax: number): Set<string> {
  const totals = new Map<string, number>();
  for (const partition of depths) {
    for (let index = 0; index + 1 < partition.length; index += 2) {
      const tenantId = partition[index]!;
      totals.set(tenantId, (totals.get(tenantId) ?? 0) + Number(partition[index + 1]));
    }
  }
  return new Set([...totals].filter(([, entries]) => entries >= entriesMax).map(([tenantId]) => tenantId));
}
