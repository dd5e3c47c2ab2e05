import { afterAll, beforeAll, expect, test } from "bun:test";
import { checkEventConservation } from "../../src/domain/events/check-event-conservation.ts";
import { systemContext } from "../../src/domain/context.ts";
import { createTenant } from "../../src/domain/tenancy/create-tenant.ts";
import { newId } from "../../src/platform/uuid.ts";
import { type HubProcesses, startHubProcesses } from "../faults/hub-processes.ts";
import { startTestPostgresServer, type TestPostgresServer } from "../support/postgres-server.ts";
import { streamed } from "./events-fixture.ts";

const TIMEOUT_MS = 120_000;
const PUBLISHERS = 6;
const BATCHES = 40;
const BATCH_EVENTS = 25;
const KILLS = 4;

let postgres: TestPostgresServer;
let hub: HubProcesses;
beforeAll(async () => {
  postgres = await startTestPostgresServer();
  hub = await startHubProcesses(postgres, { without: ["worker"] });
}, TIMEOUT_MS);
afterAll(async () => {
  await hub?.stop();
  await postgres?.stop();
}, TIMEOUT_MS);

interface Progress {
  batches: number;
  refused: number;
}

/** Publishes batches one after the other, each again and again until it is answered 202. */
async function publishAll(apiKey: string, publisher: number, progress: Progress): Promise<void> {
  for (let batch = 0; batch < BATCHES; batch++) {
    const events = Array.from({ length: BATCH_EVENTS }, (_, n) => ({
      type: "order.created",
      id: `${publisher}/${batch}/${n}`,
      orderingKey: `key-${publisher}`,
      data: { batch, n },
    }));
    while (!(await isAccepted(apiKey, events))) {
      progress.refused++;
      await Bun.sleep(20);
    }
    progress.batches++;
  }
}

async function isAccepted(apiKey: string, events: readonly object[]): Promise<boolean> {
  try {
    const answer = await fetch(`${hub.baseUrl}/api/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ events }),
      signal: AbortSignal.timeout(5_000),
    });
    await answer.arrayBuffer();
    if (answer.status === 422) throw new Error("events were refused for good");
    return answer.status === 202;
  } catch (error) {
    if ((error as Error).message === "events were refused for good") throw error;
    return false;
  }
}

test(
  "publishers that repeat until 202 lose no event to killed processes, and none comes twice",
  async () => {
    const system = systemContext(hub.runtime, newId(), "test", newId());
    const { tenant, apiKey } = await createTenant(system, { slug: `t-${newId().slice(-12)}` });
    const progress: Progress = { batches: 0, refused: 0 };
    const publishing = Promise.all(
      Array.from({ length: PUBLISHERS }, (_, publisher) => publishAll(apiKey, publisher, progress)),
    );
    const total = PUBLISHERS * BATCHES;
    for (let kill = 0; kill < KILLS; kill++) {
      const due = ((kill + 1) * total) / (KILLS + 2);
      while (progress.batches < due) await Bun.sleep(2);
      const victim = hub.processes[kill % 2 === 0 ? "edge" : "redis"];
      await victim.kill();
      await victim.start();
    }
    await publishing;
    const entries = await streamed(hub.runtime, tenant.id);
    const ids = entries.map(({ message }) => message.externalId!);
    expect(progress.refused).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(total * BATCH_EVENTS);
    expect(ids.length).toBe(total * BATCH_EVENTS);
    for (let publisher = 0; publisher < PUBLISHERS; publisher++) {
      const own = ids.filter((id) => id.startsWith(`${publisher}/`));
      const expected = Array.from({ length: BATCHES * BATCH_EVENTS }, (_, at) => {
        return `${publisher}/${Math.floor(at / BATCH_EVENTS)}/${at % BATCH_EVENTS}`;
      });
      expect(own).toEqual(expected);
    }
    expect(await checkEventConservation(hub.runtime)).toMatchObject({
      accepted: total * BATCH_EVENTS,
      waiting: total * BATCH_EVENTS,
      difference: 0,
    });
  },
  TIMEOUT_MS,
);
