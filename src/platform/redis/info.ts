import type { Redis } from "ioredis";
import type { RedisClient } from "./script.ts";

/** The servers that hold data: every master of a Cluster, else the one server. */
export function masterNodes(client: RedisClient): Redis[] {
  return "nodes" in client ? client.nodes("master") : [client];
}

/** Resolves when the client has connected; at once when it has. @throws Error after `timeoutMs` */
export async function untilReady(client: RedisClient, timeoutMs: number): Promise<void> {
  if (client.status === "ready") return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onReady = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      onReady = resolve;
      client.once("ready", onReady);
      timer = setTimeout(
        () => reject(new Error(`Cannot reach Redis within ${timeoutMs} ms: ${client.status}`)),
        timeoutMs,
      );
    });
  } finally {
    clearTimeout(timer);
    client.off("ready", onReady);
  }
}

/**
 * One section of INFO as field → text.
 *
 * @see https://redis.io/docs/latest/commands/info/
 */
export async function readInfo(
  node: Redis,
  section: "server" | "memory" | "persistence",
): Promise<Map<string, string>> {
  const text = await node.info(section);
  const fields = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
