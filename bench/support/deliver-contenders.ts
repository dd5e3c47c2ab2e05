import { type DeliveryStores, subscribe } from "./delivery-stores.ts";
import {
  createTenant,
  type HubUnderTest,
  hubProcesses,
  readServices,
  type Tenant,
} from "./hub-under-test.ts";
import { type Peer, startPeer } from "./peer-process.ts";
import type { ProcessGroups } from "./process-cpu.ts";
import { publishSaturating } from "./publish-events.ts";
import type { WebhookReceiver } from "./webhook-receiver.ts";

export const BARE = "bare fetch loop";
export const BULLMQ = "BullMQ + fetch + INSERT";
export const hubName = (subscriptions: number): string => `hub, ${subscriptions} subscriptions`;

/** Bytes of filler in each event; the whole body has about 200 more. */
export const BODY_BYTES = 1024;

/** Events published and not delivered at most, as for the BullMQ peer. */
const WAITING_MAX = 4_000;
/** Time for what waits at the end to be delivered and logged. */
const SETTLE_TIMEOUT_MS = 120_000;
/** Logical database of the hub's Redis for the peer; the hub itself uses 0. */
const PEER_DATABASE = 1;

export interface DeliverRun {
  delivered: number;
  /** From the first publishing to the last row. */
  durationMs: number;
  voidBecause: string | undefined;
}

/** Something that delivers webhooks and is measured in turn with others. */
export interface DeliverContender {
  name: string;
  processes(): ProcessGroups;
  /** Publishes for so long, waits until everything is delivered and logged. */
  run(seconds: number): Promise<DeliverRun>;
  stop(): Promise<void>;
}

interface Field {
  hub: HubUnderTest;
  stores: DeliveryStores;
  receiver: WebhookReceiver;
}

/** Subscriptions of one tenant, one for each event type. */
export async function createSubscriptions(
  { hub, receiver }: Pick<Field, "hub" | "receiver">,
  options: { slug: string; paths: readonly string[] },
): Promise<{ tenant: Tenant; types: string[]; ids: string[] }> {
  const tenant = await createTenant(hub, options.slug);
  const types = options.paths.map((_, index) => `bench.type-${index}`);
  const ids: string[] = [];
  for (const [index, path] of options.paths.entries()) {
    ids.push(await subscribe(hub, tenant, { type: types[index]!, url: `${receiver.baseUrl}${path}` }));
  }
  return { tenant, types, ids };
}

/** The hub with so many subscriptions; each event matches one of them. */
export async function hubContender(field: Field, subscriptions: number): Promise<DeliverContender> {
  const { hub, stores, receiver } = field;
  const paths = Array.from({ length: subscriptions }, (_, index) => `/ok/${subscriptions}-${index}`);
  const { tenant, types } = await createSubscriptions(field, { slug: `bench-${subscriptions}`, paths });
  return {
    name: hubName(subscriptions),
    processes: () => ({ ...hubProcesses(hub), receiver: [receiver.pid], publisher: [process.pid] }),
    async run(seconds) {
      await receiver.reset();
      await stores.clear();
      const delivered = (): Promise<number> => receiver.distinct("ok");
      const startedMs = performance.now();
      const plan = { types, bodyBytes: BODY_BYTES, seconds, waitingMax: WAITING_MAX, delivered };
      const published = await publishSaturating({ hub, tenant }, plan);
      const loggedAtMs = await untilLogged(field, published);
      const [rows, { distinct, repeated }] = await Promise.all([stores.rows(), receiver.received("ok")]);
      const counts = [distinct, rows.delivered, rows.distinct, rows.events];
      return {
        delivered: distinct,
        durationMs: loggedAtMs - startedMs,
        voidBecause: counts.every((count) => count === published)
          ? undefined
          : `${published} published, ${distinct} arrived (${repeated} repeated), rows: ${rows.delivered} delivered ` +
            `of ${rows.distinct} events, ${rows.events} events`,
      };
    },
    stop: () => Promise.resolve(),
  };
}

/**
 * Looks at the rows only once all has arrived: counting them takes processor time from what is measured.
 *
 * @returns the time at which the rows were complete, or at which they were no longer waited for
 */
async function untilLogged({ receiver, stores }: Field, published: number): Promise<number> {
  const deadlineMs = performance.now() + SETTLE_TIMEOUT_MS;
  for (;;) {
    const isComplete = (await receiver.distinct("ok")) >= published && (await stores.attempts()) >= published;
    const nowMs = performance.now();
    if (isComplete || nowMs > deadlineMs) return nowMs;
    await Bun.sleep(20);
  }
}

export async function barePeer({ receiver }: Pick<Field, "receiver">): Promise<DeliverContender> {
  const peer = await startPeer(process.execPath, "fetch-loop.ts", {
    RECEIVER_URL: receiver.baseUrl,
    BODY_BYTES: String(BODY_BYTES),
  });
  return peerContender(BARE, peer, receiver, () => ({ worker: [peer.pid], receiver: [receiver.pid] }));
}

/** @returns undefined where Node is not installed */
export async function bullmqPeer({ hub, receiver }: Field): Promise<DeliverContender | undefined> {
  const node = Bun.which("node");
  if (!node) {
    console.log("node is not on PATH: the peer BullMQ is left out");
    return undefined;
  }
  const { redisUrl, databaseUrl } = readServices(hub);
  const peer = await startPeer(node, "bullmq-deliver.mjs", {
    REDIS_URL: `${redisUrl.replace(/\/\d*$/, "")}/${PEER_DATABASE}`,
    DATABASE_URL: databaseUrl,
    RECEIVER_URL: receiver.baseUrl,
    BODY_BYTES: String(BODY_BYTES),
  });
  return peerContender(BULLMQ, peer, receiver, () => {
    const { redis, postgres } = hubProcesses(hub);
    return { worker: [peer.pid], redis: redis!, postgres: postgres!, receiver: [receiver.pid] };
  });
}

function peerContender(
  name: string,
  peer: Peer,
  receiver: WebhookReceiver,
  processes: () => ProcessGroups,
): DeliverContender {
  return {
    name,
    processes,
    async run(seconds) {
      await receiver.reset();
      const response = await fetch(`${peer.baseUrl}/run?seconds=${seconds}`);
      const { delivered, durationMs, rows } = (await response.json()) as {
        delivered: number;
        durationMs: number;
        rows?: number;
      };
      const { distinct } = await receiver.received("ok");
      const isWhole = distinct === delivered && (rows ?? delivered) === delivered;
      return {
        delivered,
        durationMs,
        voidBecause: isWhole
          ? undefined
          : `${delivered} delivered, ${distinct} arrived, ${rows ?? "no"} rows`,
      };
    },
    stop: () => peer.stop(),
  };
}
