import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { auditConservation } from "../../src/domain/inbound/audit-conservation.ts";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { eventKeyHasher } from "../../src/domain/inbound/event-key.ts";
import { getReceipt } from "../../src/domain/inbound/get-receipt.ts";
import { receiptMember } from "../../src/domain/inbound/inbound-scripts.ts";
import { listReceipts } from "../../src/domain/inbound/list-receipts.ts";
import { enlistForgotten, rebuildAfterLoss } from "../../src/domain/inbound/rebuild-inbound.ts";
import { releaseHeld } from "../../src/domain/inbound/release-held.ts";
import { replayReceipt } from "../../src/domain/inbound/replay-receipt.ts";
import { updateEndpoint } from "../../src/domain/inbound/update-endpoint.ts";
import { deleteEndpoint } from "../../src/domain/inbound/delete-endpoint.ts";
import { INCARNATION_KEY, inboundKeys, partitionOf } from "../../src/platform/redis/keys.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "./edge-fixture.ts";

let edge: EdgeFixture;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.stop());

const lease = { isHeld: () => true };
const HOUR_MS = 3_600_000;

interface ReceiptValues {
  id?: string;
  status?: string;
  body?: Uint8Array | null;
  eventId?: string;
  eventType?: string;
  bodyDropped?: boolean;
  nextRetryAt?: Date;
}

/** A receipt as the worker would have left it. */
async function insertReceipt(endpointId: string, values: ReceiptValues = {}): Promise<string> {
  const { id = newId(), status = "PROCESSED", body = Buffer.from("{}") } = values;
  await edge.runtime.sqlSystem`
    insert into webhook_receipts (id, tenant_id, endpoint_id, event_key, event_id, event_type, status, body, body_size,
      body_dropped, next_retry_at, attempt_count, created_at)
    values (${id}, ${edge.ctx.tenantId}, ${endpointId}, ${eventKeyHasher(endpointId)(values.eventId ?? "")}, ${values.eventId ?? null}, ${values.eventType ?? null},
      ${status}, ${body}, ${body?.byteLength ?? 0}, ${values.bodyDropped ?? false}, ${values.nextRetryAt ?? null}, 1,
      ${new Date(timeOfId(id))})`;
  return id;
}

async function statusOf(id: string): Promise<string> {
  return (await getReceipt(edge.ctx, { id })).status;
}

const keysOf = (endpointId: string) =>
  inboundKeys(partitionOf(endpointId, edge.runtime.config.streamPartitions));
const memberOf = (id: string, endpointId: string) =>
  receiptMember({ id, tenantId: edge.ctx.tenantId, endpointId });
const dueOf = (id: string, endpointId: string) =>
  edge.runtime.redis.zscore(keysOf(endpointId).retry, memberOf(id, endpointId));
const difference = async () => (await checkConservation(edge.runtime)).difference;

describe("listReceipts()", () => {
  test("pages through newest first, without a gap or a repetition", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await insertReceipt(endpointId));
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listReceipts(edge.ctx, { endpointId, limit: 2, cursor });
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(ids.toReversed());
  });

  test("narrows by status, event type, event id and time of acceptance", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const atMs = Date.now() - HOUR_MS;
    const old = await insertReceipt(endpointId, { id: newId(atMs), status: "DEAD", eventType: "a.b" });
    const young = await insertReceipt(endpointId, { eventId: "e-1", eventType: "c" });
    const list = async (filter: object) =>
      (await listReceipts(edge.ctx, { endpointId, ...filter })).data.map(({ id }) => id);
    expect(await list({ status: "DEAD" })).toEqual([old]);
    expect(await list({ eventType: "a.b" })).toEqual([old]);
    expect(await list({ eventId: "e-1" })).toEqual([young]);
    expect(await list({ from: new Date(atMs + 1).toISOString() })).toEqual([young]);
    expect(await list({ from: new Date(atMs).toISOString(), to: new Date(atMs + 1).toISOString() })).toEqual([
      old,
    ]);
    expect(await list({ to: new Date(atMs).toISOString() })).toEqual([]);
  });

  test("refuses a time that is none", async () => {
    await expect(listReceipts(edge.ctx, { from: "yesterday" })).rejects.toThrow("from: must be a time");
  });
});

describe("getReceipt()", () => {
  test("gives text as text and other bytes as base64, byte for byte", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const text = '\uFEFF{"city":"Zürich"}';
    const asText = await getReceipt(edge.ctx, {
      id: await insertReceipt(endpointId, { body: Buffer.from(text) }),
    });
    expect([asText.body, asText.bodyEncoding]).toEqual([text, "utf8"]);
    const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x01]);
    const asBytes = await getReceipt(edge.ctx, { id: await insertReceipt(endpointId, { body: bytes }) });
    expect([asBytes.body, asBytes.bodyEncoding]).toEqual([bytes.toString("base64"), "base64"]);
  });

  test("tells an empty body from one that was dropped", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const empty = await getReceipt(edge.ctx, { id: await insertReceipt(endpointId, { body: null }) });
    expect([empty.body, empty.bodyDropped]).toEqual(["", false]);
    const id = await insertReceipt(endpointId, { bodyDropped: true });
    await edge.runtime.sqlSystem`update webhook_receipts set body = null where id = ${id}`;
    const dropped = await getReceipt(edge.ctx, { id });
    expect([dropped.body, dropped.bodyDropped]).toEqual([null, true]);
  });

  test("joins a large body from its pieces", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const id = await insertReceipt(endpointId, { body: null });
    await edge.runtime.sqlSystem`
      update webhook_receipts set large_body_id = ${id}, body_size = 6 where id = ${id}`;
    for (const [part, text] of ["abc", "def"].entries()) {
      await edge.runtime.sqlSystem`
        insert into large_bodies (receipt_id, part, tenant_id, bytes, created_at)
        values (${id}, ${part}, ${edge.ctx.tenantId}, ${Buffer.from(text)}, now())`;
    }
    expect((await getReceipt(edge.ctx, { id })).body).toBe("abcdef");
  });
});

describe("replayReceipt()", () => {
  test.each(["PROCESSED", "FILTERED", "DUPLICATE", "DEAD", "CANCELLED"])(
    "makes a %s receipt due now, in Postgres and in the books",
    async (status) => {
      const { id: endpointId } = await makeEndpoint(edge);
      const id = await insertReceipt(endpointId, { status });
      const { accepted } = await checkConservation(edge.runtime);
      const replayed = await replayReceipt(edge.ctx, { id });
      expect([replayed.status, replayed.attemptCount]).toEqual(["RETRYING", 0]);
      expect(await dueOf(id, endpointId)).not.toBeNull();
      const books = await checkConservation(edge.runtime);
      expect([books.accepted - accepted, books.difference]).toEqual([1, 0]);
    },
  );

  test("refuses what still waits, what lost its body and what has no endpoint", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const retrying = await insertReceipt(endpointId, { status: "RETRYING", nextRetryAt: new Date() });
    const held = await insertReceipt(endpointId, { status: "HELD" });
    const dropped = await insertReceipt(endpointId, { bodyDropped: true });
    const orphan = await insertReceipt(endpointId);
    await expect(replayReceipt(edge.ctx, { id: retrying })).rejects.toMatchObject({ code: "conflict" });
    await expect(replayReceipt(edge.ctx, { id: held })).rejects.toMatchObject({ code: "conflict" });
    await expect(replayReceipt(edge.ctx, { id: dropped })).rejects.toMatchObject({ code: "conflict" });
    await deleteEndpoint(edge.ctx, { id: endpointId });
    await expect(replayReceipt(edge.ctx, { id: orphan })).rejects.toMatchObject({ code: "conflict" });
    await expect(replayReceipt(edge.ctx, { id: newId() })).rejects.toMatchObject({ code: "not_found" });
  });

  test("counts once when it is asked for twice at the same moment", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const id = await insertReceipt(endpointId);
    const { accepted } = await checkConservation(edge.runtime);
    const outcomes = await Promise.allSettled([
      replayReceipt(edge.ctx, { id }),
      replayReceipt(edge.ctx, { id }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect((await checkConservation(edge.runtime)).accepted - accepted).toBe(1);
  });

  test("writes the audit log", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const id = await insertReceipt(endpointId);
    await replayReceipt(edge.ctx, { id });
    const rows = await edge.runtime.sqlSystem`
      select verb, changed_fields as fields from audit_log where object_id = ${id}`;
    expect([...rows]).toEqual([{ verb: "webhook_receipt.replay", fields: ["status", "nextRetryAt"] }]);
  });
});

describe("enlistForgotten()", () => {
  const overdue = () => new Date(Date.now() - 2 * HOUR_MS);

  test("takes in what Redis was not told of, once", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const id = await insertReceipt(endpointId, { status: "RETRYING", nextRetryAt: overdue() });
    await enlistForgotten(edge.runtime, lease);
    expect(await dueOf(id, endpointId)).not.toBeNull();
    expect(await enlistForgotten(edge.runtime, lease)).toBe(0);
    expect(await difference()).toBe(0);
  });

  test("leaves alone what is in the stream and what is due later", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const inStream = await insertReceipt(endpointId, { status: "RETRYING", nextRetryAt: overdue() });
    const later = await insertReceipt(endpointId, {
      status: "RETRYING",
      nextRetryAt: new Date(Date.now() + HOUR_MS),
    });
    const { tenantId } = edge.ctx;
    const { stream, ledger } = keysOf(endpointId);
    const message = JSON.stringify({ id: inStream, tenantId, endpointId, reference: true });
    await edge.runtime.redis.xadd(stream, "*", "m", message);
    await edge.runtime.redis.hincrby(ledger, `${tenantId}/accepted`, 1);
    await enlistForgotten(edge.runtime, lease);
    expect(await dueOf(inStream, endpointId)).toBeNull();
    expect(await dueOf(later, endpointId)).toBeNull();
    await edge.runtime.redis.del(stream);
    await edge.runtime.redis.hincrby(ledger, `${tenantId}/cancelled`, 1);
  });

  test("takes in what was held for an endpoint that is active again, and not for a paused one", async () => {
    const active = await makeEndpoint(edge);
    const paused = await makeEndpoint(edge);
    await updateEndpoint(edge.ctx, { id: paused.id, changes: { status: "PAUSED" } });
    const atMs = Date.now() - 2 * HOUR_MS;
    const forgotten = await insertReceipt(active.id, { id: newId(atMs), status: "HELD" });
    const waiting = await insertReceipt(paused.id, { id: newId(atMs), status: "HELD" });
    await enlistForgotten(edge.runtime, lease);
    expect(await dueOf(forgotten, active.id)).not.toBeNull();
    expect(await dueOf(waiting, paused.id)).toBeNull();
  });
});

describe("releaseHeld()", () => {
  test("puts back in order what was held, once the endpoint is active, and only that", async () => {
    const endpoint = await makeEndpoint(edge);
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { status: "PAUSED" } });
    const { held, ledger } = keysOf(endpoint.id);
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await insertReceipt(endpoint.id, { status: "HELD" }));
    await edge.runtime.redis.sadd(held, ...ids.map((id) => memberOf(id, endpoint.id)));
    await edge.runtime.redis.hincrby(ledger, `${edge.ctx.tenantId}/accepted`, ids.length);
    expect(await releaseHeld(edge.runtime, lease)).toBe(0);
    await updateEndpoint(edge.ctx, { id: endpoint.id, changes: { status: "ACTIVE" } });
    expect(await releaseHeld(edge.runtime, lease)).toBe(5);
    expect(await releaseHeld(edge.runtime, lease)).toBe(0);
    const entries = (await edge.entries()).map(({ message }) => message);
    expect(entries.filter(({ endpointId }) => endpointId === endpoint.id).map(({ id }) => id)).toEqual(ids);
    expect(await difference()).toBe(0);
  });
});

describe("auditConservation()", () => {
  test("names the tenant whose receipt went astray", async () => {
    const lost = newId();
    const { stream, ledger } = inboundKeys(1);
    await edge.runtime.redis.hincrby(ledger, `${lost}/accepted`, 3);
    await edge.runtime.redis.hincrby(ledger, `${lost}/processed`, 1);
    const message = JSON.stringify({ id: newId(), tenantId: lost, endpointId: newId(), reference: true });
    await edge.runtime.redis.xadd(stream, "*", "m", message);
    const { total, data } = await auditConservation(edge.runtime);
    expect(total.difference).toBe(1);
    expect(data[0]).toEqual({
      tenantId: lost,
      accepted: 3,
      ended: 1,
      waiting: 1,
      retry: 0,
      held: 0,
      difference: 1,
      isMoving: false,
    });
    expect(data.slice(1).every((tenant) => tenant.difference === 0)).toBe(true);
    await edge.runtime.redis.hincrby(ledger, `${lost}/accepted`, -1);
    expect(await difference()).toBe(0);
  });
});

describe("rebuildAfterLoss()", () => {
  test("brings back everything unfinished with its due time, once, into a Redis that lost its data", async () => {
    const { id: endpointId } = await makeEndpoint(edge);
    const nextRetryAt = new Date(Date.now() + HOUR_MS);
    const retrying = await insertReceipt(endpointId, { status: "RETRYING", nextRetryAt });
    const held = await insertReceipt(endpointId, { status: "HELD" });
    const done = await insertReceipt(endpointId);
    for (let partition = 0; partition < edge.runtime.config.streamPartitions; partition++)
      await Promise.all(Object.values(inboundKeys(partition)).map((key) => edge.runtime.redis.del(key)));
    await edge.runtime.redis.del(INCARNATION_KEY);

    expect(await rebuildAfterLoss(edge.runtime, lease)).toBeGreaterThanOrEqual(2);
    expect(Number(await dueOf(retrying, endpointId))).toBe(nextRetryAt.getTime());
    expect(await edge.runtime.redis.sismember(keysOf(endpointId).held, memberOf(held, endpointId))).toBe(1);
    expect(await dueOf(done, endpointId)).toBeNull();
    expect(await statusOf(done)).toBe("PROCESSED");
    expect(await rebuildAfterLoss(edge.runtime, lease)).toBeUndefined();
    expect(await difference()).toBe(0);
  });
});
