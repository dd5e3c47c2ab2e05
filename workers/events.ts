import { EventPublisher } from "../src/domain/events/event-publisher.ts";
import { EventTypeCatalogue } from "../src/domain/events/event-type-catalogue.ts";
import { OutboxRelay } from "../src/domain/events/relay-outbox.ts";
import { type IntakeDeps, takeIntake } from "../src/domain/events/take-intake.ts";
import { startCapacityPoller } from "../src/domain/inbound/capacity.ts";
import { subscribeInvalidation } from "../src/platform/invalidation.ts";
import { competeForLease, type Lease } from "../src/platform/lease.ts";
import { EVENT_INTAKE_KEY, eventKeys, jobLeaseKey, WORKER_GROUP } from "../src/platform/redis/keys.ts";
import type { RedisClient } from "../src/platform/redis/script.ts";
import type { Runtime } from "../src/platform/runtime.ts";

/** Another process takes over this long after this one died. */
const LEASE_TTL_MS = 5_000;

/** The one consumer of the group: whoever holds the lease reads under its name, what its predecessor left first. */
const CONSUMER = "intake";
const READ_COUNT = 256;

/** Waits while nothing comes, growing from the least to the longest, and after an error. */
const IDLE_MIN_MS = 5;
const IDLE_MAX_MS = 100;
const ERROR_WAIT_MS = 500;

/**
 * Consumer `events`: what reaches the event topic without HTTP, the hub's own events from the outbox and those of
 * trusted services from the stream `events:in`. One process does it, so that events of one key keep their order.
 */
export const events = {
  name: "events",
  start: startEvents,
};

async function startEvents(runtime: Runtime): Promise<{ stop(): Promise<void> }> {
  const catalogue = new EventTypeCatalogue(runtime);
  await subscribeInvalidation(runtime, {
    handlers: { event_type: (tenantId) => catalogue.invalidate(tenantId) },
    onReconnect: () => catalogue.clear(),
  });
  const publisher = new EventPublisher(runtime, startCapacityPoller(runtime, eventKeys));
  const client = runtime.openRedis("consumer");
  let running: Promise<unknown> = Promise.resolve();
  const release = competeForLease(runtime, {
    key: jobLeaseKey("events"),
    ttlMs: LEASE_TTL_MS,
    onHeld(lease) {
      const deps = { runtime, publisher, catalogue };
      const relay = new OutboxRelay(runtime, publisher);
      running = Promise.all([
        running,
        repeat(runtime, lease, "outbox not relayed", () => relay.run(lease)),
        repeat(runtime, lease, "events:in not read", createIntake(deps, client)),
      ]);
    },
  });
  return {
    async stop() {
      await release();
      await running;
    },
  };
}

/** Runs `work` for as long as the lease is held; it answers how much it did, and rests when that was nothing. */
async function repeat(
  runtime: Runtime,
  lease: Lease,
  failure: string,
  work: () => Promise<number>,
): Promise<void> {
  let idleMs = IDLE_MIN_MS;
  while (lease.isHeld()) {
    try {
      const done = await work();
      idleMs = done > 0 ? IDLE_MIN_MS : Math.min(IDLE_MAX_MS, idleMs * 2);
      if (done === 0) await Bun.sleep(idleMs);
    } catch (error) {
      runtime.log.warn({ err: error }, failure);
      await Bun.sleep(ERROR_WAIT_MS);
    }
  }
}

type Entries = [id: string, fields: string[] | null][];

/** Reads `events:in`: what is pending from before, then what is new; the same entries again until they are safe. */
function createIntake(deps: IntakeDeps, client: RedisClient): () => Promise<number> {
  let from = "0";
  return async () => {
    const entries = await readIntakeStream(client, from);
    if (entries.length === 0) {
      from = ">";
      return 0;
    }
    try {
      await takeIntake(
        deps,
        entries.filter((entry): entry is [string, string[]] => entry[1] !== null),
      );
      const ids = entries.map(([id]) => id);
      // Deleted first: what is only deleted is still pending and read again, what is only acknowledged would stay for ever.
      await client.xdel(EVENT_INTAKE_KEY, ...ids);
      await client.xack(EVENT_INTAKE_KEY, WORKER_GROUP, ...ids);
    } catch (error) {
      // They are pending now, and are read as such.
      from = "0";
      throw error;
    }
    return entries.length;
  };
}

async function readIntakeStream(client: RedisClient, from: string): Promise<Entries> {
  try {
    const reply = (await client.xreadgroup(
      "GROUP",
      WORKER_GROUP,
      CONSUMER,
      "COUNT",
      READ_COUNT,
      "STREAMS",
      EVENT_INTAKE_KEY,
      from,
    )) as [string, Entries][] | null;
    return reply?.[0]?.[1] ?? [];
  } catch (error) {
    if (!(error as Error).message.startsWith("NOGROUP")) throw error;
    // From 0, never $: what was put in before the first worker started must be read too.
    await client.xgroup("CREATE", EVENT_INTAKE_KEY, WORKER_GROUP, "0", "MKSTREAM");
    return [];
  }
}
