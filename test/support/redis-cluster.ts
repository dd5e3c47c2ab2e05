import { Redis } from "ioredis";
import { retryUntil } from "../../src/platform/process/retry-until.ts";

const SLOTS = 16_384;
const CLUSTER_TIMEOUT_MS = 30_000;

/** Gives each master a third of the slots and makes them meet, as `redis-cli --cluster create` does. */
export async function formCluster(ports: readonly number[]): Promise<void> {
  await withClients(ports, async (clients) => {
    const busPort = async (client: Redis): Promise<string> =>
      /@(\d+)/.exec(String(await client.call("CLUSTER", "NODES")))![1]!;
    await Promise.all(
      clients.map(async (client, index) => {
        const first = Math.floor((SLOTS / ports.length) * index);
        const last = Math.floor((SLOTS / ports.length) * (index + 1)) - 1;
        await client.call("CLUSTER", "ADDSLOTSRANGE", first, last);
        await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      }),
    );
    const [first, ...others] = clients;
    for (const [index, other] of others.entries()) {
      await first!.call("CLUSTER", "MEET", "127.0.0.1", ports[index + 1]!, await busPort(other));
    }
  });
  await waitForCluster(ports);
}

/** Every master sees all slots served and every other master. */
export async function waitForCluster(ports: readonly number[]): Promise<void> {
  await withClients(ports, (clients) =>
    retryUntil(
      async () => {
        for (const client of clients) {
          const info = String(await client.call("CLUSTER", "INFO"));
          if (!info.includes("cluster_state:ok") || !info.includes(`cluster_known_nodes:${ports.length}`)) {
            throw new Error(`The cluster has not formed: ${info}`);
          }
        }
      },
      { everyMs: 50, timeoutMs: CLUSTER_TIMEOUT_MS },
    ),
  );
}

async function withClients(
  ports: readonly number[],
  work: (clients: Redis[]) => Promise<void>,
): Promise<void> {
  // A server that is still loading, or has not met the others, answers CLUSTER all the same.
  const clients = ports.map((port) => new Redis({ host: "127.0.0.1", port, enableReadyCheck: false }));
  for (const client of clients) client.on("error", () => undefined);
  try {
    await work(clients);
  } finally {
    for (const client of clients) client.disconnect();
  }
}
