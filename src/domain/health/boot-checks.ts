import { dropProxyVariables } from "../../platform/config.ts";
import { checkPostgresDurability } from "../../platform/postgres/durability.ts";
import { StartError } from "../../platform/process/start-error.ts";
import { checkRedisDurability, checkRedisVersion } from "../../platform/redis/durability.ts";
import { untilReady } from "../../platform/redis/info.ts";
import { PARTITIONS_KEY } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { findLostKeys } from "../vault/find-lost-keys.ts";

/** The services are there but not fit for what a 200 promises; the message lists every fault. */
export class BootError extends StartError {
  override name = "BootError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`Cannot start:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** How long a process waits for Redis at its start; `start` opens it first, a container may come up later. */
const REDIS_WAIT_MS = 20_000;

/**
 * Looks at what the hub stands on before it takes anything: DESIGN.md section 6. Weak durability is refused unless
 * REDIS_DURABILITY is `relaxed`; then it is logged here and shown by `/health/ready`.
 *
 * @throws BootError with every fault
 */
export async function runBootChecks(runtime: Runtime): Promise<void> {
  const { config, redis, sqlSystem, log } = runtime;
  const proxies = dropProxyVariables();
  if (proxies.length > 0)
    log.warn({ variables: proxies }, "proxy variables are ignored: calls out go direct");
  await untilReady(redis, REDIS_WAIT_MS).catch((error: unknown) => {
    throw new BootError([error instanceof Error ? error.message : String(error)]);
  });
  const [versions, weaknesses, postgres, partitions, keys] = await Promise.all([
    checkRedisVersion(redis),
    findWeaknesses(runtime),
    postgresProblems(sqlSystem),
    partitionProblem(runtime),
    keyProblems(runtime),
  ]);
  const problems = [...versions, ...postgres, ...partitions, ...keys];
  if (config.redisDurability === "always") problems.push(...weaknesses);
  else
    for (const weakness of weaknesses) log.warn({ weakness }, "REDIS_DURABILITY=relaxed: a 200 can be lost");
  if (problems.length > 0) throw new BootError(problems);
}

/** Redis settings under which an accepted webhook can be lost; empty when there are none. */
export async function findWeaknesses(runtime: Runtime): Promise<string[]> {
  return await checkRedisDurability(runtime.redis);
}

async function postgresProblems(sql: Runtime["sqlSystem"]): Promise<string[]> {
  try {
    return await checkPostgresDurability(sql);
  } catch (error) {
    return [`Cannot ask Postgres: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Keys that open nothing are refused; where some secrets cannot be opened, the others' owners are served on. */
async function keyProblems(runtime: Runtime): Promise<string[]> {
  // That Postgres is away or not migrated is told by others.
  const lost = await findLostKeys(runtime).catch(() => undefined);
  if (lost === undefined) return [];
  if (lost.opensNothing) return lost.problems;
  for (const problem of lost.problems) runtime.log.warn(problem);
  return [];
}

/**
 * STREAM_PARTITIONS is written down at the first start. With another number the same endpoint would map to another
 * partition: its dedupe memory would be lost, and what waits in higher partitions would never be read.
 */
async function partitionProblem(runtime: Runtime): Promise<string[]> {
  const wanted = String(runtime.config.streamPartitions);
  await runtime.redis.set(PARTITIONS_KEY, wanted, "NX");
  const stored = await runtime.redis.get(PARTITIONS_KEY);
  if (stored === wanted) return [];
  return [
    `STREAM_PARTITIONS=${wanted}, but this Redis was first started with ${stored}: it cannot be changed afterwards, set it back to ${stored}`,
  ];
}
