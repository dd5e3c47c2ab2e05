import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpConnection, type RequestEnd } from "../../bench/support/http-connection.ts";
import { loadStatusBody, requestWriterOf } from "../../bench/support/sign-webhook.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { runCommand } from "../../src/platform/process/run-command.ts";
import { PROJECT_DIR } from "../support/paths.ts";
import { childrenOf, readFirstRun, type StartedHub, startHub } from "../support/started-hub.ts";

const TIMEOUT_MS = 180_000;
const CONNECTIONS = 16;
const SECRET = "It's a Secret to Everybody";

let home: string;
let hub: StartedHub;
let path: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "hub-rolling-"));
  hub = await startHub(home, { EDGE_PROCESSES: "2", WORKER_PROCESSES: "2" });
  const { apiKey } = await readFirstRun(home);
  const response = await fetch(`${hub.baseUrl}/api/v1/webhooks/endpoints`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ handlerType: "CUSTOM", signatureScheme: "github", secretKey: SECRET }),
  });
  expect(response.status).toBe(201);
  const endpoint = (await response.json()) as { endpointPath: string };
  path = `/webhooks/demo/${endpoint.endpointPath}`;
}, TIMEOUT_MS);

afterAll(async () => {
  hub.kill("SIGTERM");
  await hub.ended;
  await rm(home, { recursive: true, force: true });
}, TIMEOUT_MS);

/** One command of the hub's own command line; its answer. */
async function hubCommand<T>(...words: string[]): Promise<T> {
  const env = { HUB_HOME: home, PATH: process.env["PATH"] ?? "" };
  const argv = [process.execPath, "src/cli/main.ts", ...words];
  const lines = await runCommand({ name: words.join(" "), argv, env, cwd: PROJECT_DIR }, TIMEOUT_MS);
  return JSON.parse(lines.at(-1)!) as T;
}

/** Sends as soon as it is answered, over keep-alive connections on bare sockets: nothing is tried again unseen. */
function startLoad(): { ends: RequestEnd[]; stop(): void } {
  const { hostname, port } = new URL(hub.baseUrl);
  const write = requestWriterOf({ path, scheme: "github", secret: SECRET }, hostname);
  const ends: RequestEnd[] = [];
  const request = (): string => {
    const eventId = crypto.randomUUID();
    return write(eventId, loadStatusBody(eventId, ends.length, Date.now(), 600), Date.now());
  };
  const connections = Array.from(
    { length: CONNECTIONS },
    () =>
      new HttpConnection({
        hostname,
        port: Number(port),
        tls: false,
        onIdle: (connection) => connection.send(request()),
        onEnd: (_connection, end) => void ends.push(end),
        onConnectError: () => void ends.push("broken"),
      }),
  );
  return { ends, stop: () => connections.forEach((connection) => connection.close()) };
}

test(
  "restart replaces every process under load; its senders see 200s alone, but for connections queued at a closing port",
  async () => {
    const before = await childrenOf(hub.pid);
    const load = startLoad();
    await retryUntil(async () => expect(load.ends.length).toBeGreaterThan(200), {
      everyMs: 20,
      timeoutMs: 60_000,
    });
    const { restarted } = await hubCommand<{ restarted: string[] }>("restart");
    const countAtEnd = load.ends.length;
    await retryUntil(async () => expect(load.ends.length).toBeGreaterThan(countAtEnd + 200), {
      everyMs: 20,
      timeoutMs: 60_000,
    });
    load.stop();
    expect(restarted).toEqual(["edge-1", "edge-2", "worker-1", "worker-2"]);
    const after = await childrenOf(hub.pid);
    expect(after.length).toBe(before.length);
    // Postgres and Redis stay.
    expect(after.filter((pid) => before.includes(pid)).length).toBe(2);
    const statuses = new Set(load.ends.map((end) => (typeof end === "string" ? end : end.status)));
    statuses.delete("broken");
    expect([...statuses]).toEqual([200]);
    // Each of two closing ports can have the connections of all senders in its queue, and no more.
    const broken = load.ends.filter((end) => end === "broken").length;
    console.log(`${load.ends.length} requests, ${broken} connections lost in a closing port's queue`);
    expect(broken).toBeLessThanOrEqual(2 * CONNECTIONS);
    const idle = async (): Promise<void> => {
      const { total } = await hubCommand<{ total: { waiting: number; difference: number } }>("conservation");
      expect(total).toMatchObject({ waiting: 0, difference: 0 });
    };
    await retryUntil(idle, { everyMs: 200, timeoutMs: 60_000 });
  },
  TIMEOUT_MS,
);

test(
  "SIGHUP without a terminal restarts too, and SIGTERM during it stops everything",
  async () => {
    hub.kill("SIGHUP");
    await retryUntil(async () => expect(hub.terminal().split("Rolling restart").length).toBe(3), {
      everyMs: 20,
      timeoutMs: 60_000,
    });
    hub.kill("SIGTERM");
    expect(await hub.ended).toBe(0);
  },
  TIMEOUT_MS,
);
