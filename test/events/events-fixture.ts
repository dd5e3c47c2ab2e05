import { type EventMessage, decodeEventEntry } from "../../src/domain/events/topics.ts";
import { insertEvents } from "../../src/domain/events/store.ts";
import { announceStored } from "../../src/domain/events/announce-stored.ts";
import { eventKeys } from "../../src/platform/redis/keys.ts";
import { createRuntime, type Runtime } from "../../src/platform/runtime.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { events } from "../../workers/events.ts";
import type { TestApp } from "../edge/app-fixture.ts";

/** An entry of the event streams, with the partition that it stands in. */
export interface StreamedEvent {
  partition: number;
  message: EventMessage;
  data: string | undefined;
}

/** Everything in the event streams of one tenant, in the order of each partition. */
export async function streamed(runtime: Runtime, tenantId: string): Promise<StreamedEvent[]> {
  const all: StreamedEvent[] = [];
  for (let partition = 0; partition < runtime.config.streamPartitions; partition++) {
    const entries = await runtime.redis.xrange(eventKeys(partition).stream, "-", "+");
    all.push(...entries.map(([, fields]) => ({ partition, ...decodeEventEntry(fields) })));
  }
  return all.filter(({ message }) => message.tenantId === tenantId);
}

/** Stores what is in a tenant's streams as a fan-out without subscriptions would. */
export async function storeStreamed(runtime: Runtime, tenantId: string): Promise<void> {
  const found = await streamed(runtime, tenantId);
  await runtime.sqlSystem.begin((tx) => insertEvents(tx, found));
  announceStored(
    runtime,
    found.map(({ message }) => message),
  );
}

/** The consumer `events` in this process, on the app's services. */
export async function startEventsWorker(hub: TestApp): Promise<{ stop(): Promise<void> }> {
  const runtime = createRuntime(loadConfig(hub.env), "worker");
  const worker = await events.start(runtime);
  return {
    async stop() {
      await worker.stop();
      await runtime.shutdown.run();
    },
  };
}
