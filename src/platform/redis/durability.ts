import type { Redis } from "ioredis";
import { masterNodes, readInfo } from "./info.ts";
import type { RedisClient } from "./script.ts";

/** Oldest version with all that the scripts use (XAUTOCLAIM's third element, EXPIRE NX, functions of Lua). */
const VERSION_MIN = [7, 0] as const;

/** What every 200 relies on: each write fsynced before its answer, and nothing evicted. */
const SETTINGS: readonly { name: string; needed: string; because: string }[] = [
  {
    name: "maxmemory-policy",
    needed: "noeviction",
    because: "any other policy deletes accepted webhooks when memory is short",
  },
  { name: "appendonly", needed: "yes", because: "without it accepted webhooks end with the process" },
  {
    name: "appendfsync",
    needed: "always",
    because: "a 200 that came before the fsync can be lost with the power",
  },
  {
    name: "no-appendfsync-on-rewrite",
    needed: "no",
    because: "a rewrite of the AOF would suspend the fsync",
  },
];

/**
 * Compares every master with what durability needs.
 *
 * @returns the faults in words, each naming its server; empty when all is well
 * @throws when a server cannot be reached
 */
export async function checkRedisDurability(client: RedisClient): Promise<string[]> {
  const nodes = masterNodes(client);
  const problems = await Promise.all(nodes.map((node) => checkNode(node)));
  return problems.flat();
}

/** Version of every master, as a fault when it is too old; this one is refused in relaxed mode too. */
export async function checkRedisVersion(client: RedisClient): Promise<string[]> {
  const nodes = masterNodes(client);
  const problems = await Promise.all(
    nodes.map(async (node) => {
      const version = (await readInfo(node, "server")).get("redis_version") ?? "unknown";
      const [major = 0, minor = 0] = version.split(".").map(Number);
      const isNewEnough = major > VERSION_MIN[0] || (major === VERSION_MIN[0] && minor >= VERSION_MIN[1]);
      return isNewEnough
        ? []
        : [`Redis ${nameOf(node)} is version ${version}; ${VERSION_MIN.join(".")} or newer is needed`];
    }),
  );
  return problems.flat();
}

async function checkNode(node: Redis): Promise<string[]> {
  const readings = await Promise.all(SETTINGS.map((setting) => readSetting(node, setting.name)));
  return SETTINGS.flatMap((setting, index) => {
    const value = readings[index];
    if (value === setting.needed) return [];
    const seen = value === undefined ? "cannot be read, because CONFIG is forbidden" : `is ${value}`;
    return [`Redis ${nameOf(node)}: ${setting.name} ${seen}, must be ${setting.needed}: ${setting.because}`];
  });
}

/** A setting by CONFIG GET; where a managed service forbids CONFIG, by INFO as far as INFO tells it. */
async function readSetting(node: Redis, name: string): Promise<string | undefined> {
  try {
    const [, value] = (await node.config("GET", name)) as string[];
    return value;
  } catch (error) {
    if (!/NOPERM|unknown command|disabled/i.test(String(error))) throw error;
  }
  if (name === "maxmemory-policy") return (await readInfo(node, "memory")).get("maxmemory_policy");
  if (name === "appendonly")
    return (await readInfo(node, "persistence")).get("aof_enabled") === "1" ? "yes" : "no";
  return undefined;
}

function nameOf(node: Redis): string {
  return `${node.options.host}:${node.options.port}`;
}
