import type { Cluster, Redis } from "ioredis";

export type RedisClient = Redis | Cluster;

/** A Lua file with the name under which a client knows it. */
export interface Script {
  name: string;
  lua: string;
}

type ScriptCall = (keyCount: number, ...args: (string | number | Buffer)[]) => Promise<unknown>;

/**
 * Binds a script to a client: EVALSHA, and EVAL once where the server does not know it (after a restart or failover).
 *
 * @returns a function that takes the keys and the arguments and answers the script's raw reply
 */
export function bindScript(
  client: RedisClient,
  script: Script,
): (keys: readonly string[], args: readonly (string | number | Buffer)[]) => Promise<unknown> {
  client.defineCommand(script.name, { lua: script.lua });
  const call = (client as unknown as Record<string, ScriptCall>)[script.name]!.bind(client);
  return (keys, args) => call(keys.length, ...keys, ...args);
}
