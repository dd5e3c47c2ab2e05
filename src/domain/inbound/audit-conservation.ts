import { inboundKeys } from "../../platform/redis/keys.ts";
import { bindScript } from "../../platform/redis/script.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { checkConservation, type Conservation } from "./check-conservation.ts";
import lua from "./count-tenants.lua" with { type: "text" };

/** The books of one tenant. */
export interface TenantConservation extends Conservation {
  tenantId: string;
  /** True when the tenant's books moved while they were read: then a difference need not be one. */
  isMoving: boolean;
}

/** Entries of one page of a stream, and hint for one page of a set. */
const PAGE_SIZE = 1000;

/**
 * The books of every tenant, counted entry by entry: finds whose receipts went astray when `checkConservation` tells a
 * difference.
 *
 * @returns the whole, read atomically, and the tenants, those with a difference first
 * @throws when Redis is away
 */
export async function auditConservation(
  runtime: Runtime,
): Promise<{ total: Conservation; data: TenantConservation[] }> {
  const before = await readLedgers(runtime);
  const waiting = await countStreams(runtime);
  const retry = await countMembers(runtime, "retry");
  const held = await countMembers(runtime, "held");
  const after = await readLedgers(runtime);
  const tenants = new Set([...after.keys(), ...waiting.keys(), ...retry.keys(), ...held.keys()]);
  const data = [...tenants].map((tenantId) => {
    const ledger = after.get(tenantId) ?? NOTHING;
    const earlier = before.get(tenantId) ?? NOTHING;
    const counts = {
      ...ledger,
      waiting: waiting.get(tenantId) ?? 0,
      retry: retry.get(tenantId) ?? 0,
      held: held.get(tenantId) ?? 0,
    };
    const difference = counts.accepted - counts.ended - counts.waiting - counts.retry - counts.held;
    const isMoving = earlier.accepted !== ledger.accepted || earlier.ended !== ledger.ended;
    return { tenantId, ...counts, difference, isMoving };
  });
  data.sort((a, b) => Math.abs(b.difference) - Math.abs(a.difference) || (a.tenantId < b.tenantId ? -1 : 1));
  return { total: await checkConservation(runtime), data };
}

interface Ledger {
  accepted: number;
  ended: number;
}

const NOTHING: Ledger = { accepted: 0, ended: 0 };

const partitionsOf = (runtime: Runtime) =>
  Array.from({ length: runtime.config.streamPartitions }, (_, partition) => inboundKeys(partition));

async function readLedgers(runtime: Runtime): Promise<Map<string, Ledger>> {
  const ledgers = new Map<string, Ledger>();
  for (const { ledger } of partitionsOf(runtime)) {
    for (const [field, count] of Object.entries(await runtime.redis.hgetall(ledger))) {
      const slash = field.lastIndexOf("/");
      const tenantId = field.slice(0, slash);
      const books = ledgers.get(tenantId) ?? { ...NOTHING };
      books[field.slice(slash + 1) === "accepted" ? "accepted" : "ended"] += Number(count);
      ledgers.set(tenantId, books);
    }
  }
  return ledgers;
}

async function countStreams(runtime: Runtime): Promise<Map<string, number>> {
  const countTenants = bindScript(runtime.redis, { name: "hubCountTenants", lua });
  const counts = new Map<string, number>();
  for (const { stream } of partitionsOf(runtime)) {
    let from = "-";
    while (from !== "") {
      const [next, ...pairs] = (await countTenants([stream], [from, PAGE_SIZE])) as [string, ...string[]];
      for (let at = 0; at < pairs.length; at += 2) add(counts, pairs[at]!, Number(pairs[at + 1]));
      from = next;
    }
  }
  return counts;
}

async function countMembers(runtime: Runtime, kind: "retry" | "held"): Promise<Map<string, number>> {
  const { redis } = runtime;
  const counts = new Map<string, number>();
  for (const keys of partitionsOf(runtime)) {
    // A scan may show a member twice while the set is resized.
    const members = new Set<string>();
    let cursor = "0";
    do {
      const [next, page] =
        kind === "retry"
          ? await redis.zscan(keys.retry, cursor, "COUNT", PAGE_SIZE)
          : await redis.sscan(keys.held, cursor, "COUNT", PAGE_SIZE);
      cursor = next;
      for (let at = 0; at < page.length; at += kind === "retry" ? 2 : 1) members.add(page[at]!);
    } while (cursor !== "0");
    for (const member of members) add(counts, member.split("/")[1] ?? "", 1);
  }
  return counts;
}

function add(counts: Map<string, number>, tenantId: string, count: number): void {
  counts.set(tenantId, (counts.get(tenantId) ?? 0) + count);
}
