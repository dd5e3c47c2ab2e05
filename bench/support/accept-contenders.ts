import { connectRedis } from "../../src/platform/redis/client.ts";
import type { RedisClient } from "../../src/platform/redis/script.ts";
import { type HubStores, type InboundBooks, waitForDrain } from "./hub-stores.ts";
import { type HubUnderTest, hubProcesses } from "./hub-under-test.ts";
import { type Peer, startPeer } from "./peer-process.ts";
import type { ProcessGroups } from "./process-cpu.ts";

/** Something that accepts webhooks and is measured in turn with others. */
export interface Contender {
  name: string;
  baseUrl: string;
  /** Requests prepared for it. */
  requestsFile: string;
  processes(): ProcessGroups;
  /** Before its run: what is not part of it is put aside. */
  prepare(): Promise<void>;
  /**
   * After its run: how many of the accepted events are really stored, once everything is settled; undefined for a
   * peer that stores nothing. The next run starts from empty stores.
   */
  settle(): Promise<StoredEvents | undefined>;
}

export interface StoredEvents {
  /** Growth of the place where accepted events are kept (streams and receipts, or jobs). */
  stored: number;
  /** Why the books do not balance; undefined when they do. */
  fault?: string;
}

/** A backlog of five seconds at 40,000 a second, processed at 2,000 a second, is gone after this. */
const DRAIN_TIMEOUT_MS = 180_000;

/**
 * The hub as it was started.
 *
 * @param options.workersStopped holds the workers (SIGSTOP) during the run: accepting alone, as the peers do it
 */
export function hubContender(
  hub: HubUnderTest,
  stores: HubStores,
  options: { name: string; requestsFile: string; workersStopped: boolean },
): Contender {
  let before: InboundBooks | undefined;
  const signalWorkers = (signal: NodeJS.Signals): void => {
    if (!options.workersStopped) return;
    for (const pid of hubProcesses(hub)["worker"] ?? []) process.kill(pid, signal);
  };
  return {
    name: options.name,
    baseUrl: hub.baseUrl,
    requestsFile: options.requestsFile,
    processes: () => hubProcesses(hub),
    async prepare() {
      before = await stores.books();
      signalWorkers("SIGSTOP");
    },
    async settle() {
      signalWorkers("SIGCONT");
      return settleHub(stores, before!);
    },
  };
}

/**
 * Waits until everything accepted is processed, counts it, and empties the stores for the next run.
 *
 * @param before the books when the run began
 */
export async function settleHub(stores: HubStores, before: InboundBooks): Promise<StoredEvents> {
  await waitForDrain(stores, DRAIN_TIMEOUT_MS);
  const [after, receipts] = await Promise.all([stores.books(), stores.receipts()]);
  await stores.clear();
  const stored = after.accepted - before.accepted;
  const fault = faultIn(stored, after.ended - before.ended, receipts);
  return { stored, ...(fault === undefined ? {} : { fault }) };
}

/** Nothing may be lost or doubled between the ledger of the streams and the rows of Postgres. */
function faultIn(
  accepted: number,
  ended: number,
  receipts: { rows: number; distinctEvents: number },
): string | undefined {
  if (ended !== accepted) return `${accepted} accepted, ${ended} ended`;
  if (receipts.rows !== accepted) return `${accepted} accepted, ${receipts.rows} receipts`;
  if (receipts.distinctEvents !== accepted)
    return `${accepted} accepted, ${receipts.distinctEvents} distinct events`;
  return undefined;
}

/** A bare server on Bun that reads the body and answers. */
export async function startBarePeer(requestsFile: string): Promise<Contender & { stop(): Promise<void> }> {
  const peer = await startPeer(process.execPath, "bare-bun.ts");
  return {
    ...peerContender("bare Bun.serve", peer, requestsFile, () => ({ edge: [peer.pid] })),
    prepare: () => Promise.resolve(),
    settle: () => Promise.resolve(undefined),
  };
}

/** Logical database of the hub's Redis for the peer; the hub itself uses 0. */
const PEER_DATABASE = 1;

/** Jobs of the queue `inbound` that wait for a worker (BullMQ's own key). */
const WAITING_JOBS_KEY = "bull:inbound:wait";

/**
 * Fastify and BullMQ on Node, in a database of its own of the hub's Redis.
 *
 * @param endpointsFile JSON of secrets by `<tenant>/<path>`
 * @returns undefined where Node is not installed
 */
export async function startBullmqPeer(options: {
  redisUrl: string;
  redisPids: () => readonly number[];
  endpointsFile: string;
  requestsFile: string;
}): Promise<(Contender & { stop(): Promise<void> }) | undefined> {
  const node = Bun.which("node");
  if (!node) {
    console.log("node is not on PATH: the peer Fastify + BullMQ is left out");
    return undefined;
  }
  const redisUrl = `${options.redisUrl.replace(/\/\d*$/, "")}/${PEER_DATABASE}`;
  const peer = await startPeer(node, "fastify-bullmq.mjs", {
    REDIS_URL: redisUrl,
    ENDPOINTS_FILE: options.endpointsFile,
  });
  const redis = connectRedis(redisUrl, "control", (error) => console.error(`Redis: ${error.message}`));
  return {
    ...peerContender("Fastify + BullMQ", peer, options.requestsFile, () => ({
      edge: [peer.pid],
      redis: options.redisPids(),
    })),
    prepare: () => Promise.resolve(),
    settle: async () => {
      const stored = await settledLength(redis);
      await ("flushdb" in redis ? redis.flushdb() : undefined);
      return { stored };
    },
    stop: async () => {
      redis.disconnect();
      await peer.stop();
    },
  };
}

function peerContender(
  name: string,
  peer: Peer,
  requestsFile: string,
  processes: () => ProcessGroups,
): Omit<Contender, "prepare" | "settle"> & { stop(): Promise<void> } {
  return { name, baseUrl: peer.baseUrl, requestsFile, processes, stop: () => peer.stop() };
}

/** Requests that were under way when the generator stopped may still add jobs. */
async function settledLength(redis: RedisClient): Promise<number> {
  for (let length = -1; ;) {
    const now = await redis.llen(WAITING_JOBS_KEY);
    if (now === length) return now;
    length = now;
    await Bun.sleep(300);
  }
}
