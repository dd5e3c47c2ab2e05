import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { deleteDeadLetter } from "../../src/domain/dead-letters/delete-dead-letter.ts";
import { getDeadLetter } from "../../src/domain/dead-letters/get-dead-letter.ts";
import { listDeadLetters } from "../../src/domain/dead-letters/list-dead-letters.ts";
import { mendDeadLetter } from "../../src/domain/dead-letters/mend-dead-letter.ts";
import { replayDeadLetter } from "../../src/domain/dead-letters/replay-dead-letter.ts";
import { replayDeadLetters } from "../../src/domain/dead-letters/replay-dead-letters.ts";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { BODY_BYTES_MAX } from "../../src/domain/inbound/endpoint-schema.ts";
import { getReceipt } from "../../src/domain/inbound/get-receipt.ts";
import { loadReceipts } from "../../src/domain/inbound/load-receipt.ts";
import { replayReceipt } from "../../src/domain/inbound/replay-receipt.ts";
import { createApiKey } from "../../src/domain/tenancy/create-api-key.ts";
import { newId, timeOfId } from "../../src/platform/uuid.ts";
import { type EdgeFixture, makeEndpoint, startEdge } from "../inbound/edge-fixture.ts";

let edge: EdgeFixture;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.stop());

const RECEIVED = '{"status":"ARIVED"}';
const MENDED = '{"status":"ARRIVED"}';

interface Dead {
  id: string;
  receiptId: string;
  endpointId: string;
}

/** A dead letter with its receipt, as the worker would have left them. */
async function insertDead(endpointId: string, reasonCode = "model_invalid"): Promise<Dead> {
  const [id, receiptId] = [newId(), newId()];
  const { sqlSystem } = edge.runtime;
  const body = Buffer.from(RECEIVED);
  await sqlSystem`
    insert into webhook_receipts (id, tenant_id, endpoint_id, event_key, status, body, body_size, attempt_count, created_at)
    values (${receiptId}, ${edge.ctx.tenantId}, ${endpointId}, 'k', 'DEAD', ${body}, ${body.byteLength}, 1,
      ${new Date(timeOfId(receiptId))})`;
  await sqlSystem`
    insert into dead_letters (id, tenant_id, topic, endpoint_id, receipt_id, reason_code, body)
    values (${id}, ${edge.ctx.tenantId}, 'inbound', ${endpointId}, ${receiptId}, ${reasonCode}, ${body})`;
  return { id, receiptId, endpointId };
}

const newDead = async (): Promise<Dead> => insertDead((await makeEndpoint(edge)).id);
const statusOf = async (receiptId: string) => (await getReceipt(edge.ctx, { id: receiptId })).status;

/** What the worker will process for a receipt. */
async function bodyToProcess(receiptId: string): Promise<string> {
  const stored = (await loadReceipts(edge.runtime.sqlSystem, [receiptId])).get(receiptId);
  return Buffer.from(stored!.body!).toString();
}

describe("mendDeadLetter()", () => {
  test("puts the mended body beside the original, and a replay processes it", async () => {
    const dead = await newDead();
    await mendDeadLetter(edge.ctx, { id: dead.id, mended: { body: MENDED, contentType: "text/x-mended" } });
    const shown = await getDeadLetter(edge.ctx, { id: dead.id });
    expect([shown.body, shown.mendedBody, shown.mendedContentType]).toEqual([
      RECEIVED,
      MENDED,
      "text/x-mended",
    ]);
    expect(shown.mendedBy).toBe(`${edge.ctx.actor.type}:${edge.ctx.actor.id}`);
    expect(await bodyToProcess(dead.receiptId)).toBe(RECEIVED);

    const replayed = await replayDeadLetter(edge.ctx, { id: dead.id });
    expect(replayed.status).toBe("REPLAYED");
    expect(await statusOf(dead.receiptId)).toBe("RETRYING");
    expect(await bodyToProcess(dead.receiptId)).toBe(MENDED);
    expect((await getReceipt(edge.ctx, { id: dead.receiptId })).body).toBe(RECEIVED);
  });

  test("takes bytes as base64 and refuses what is none", async () => {
    const { id } = await newDead();
    const bytes = Buffer.from([0xff, 0x00]);
    await mendDeadLetter(edge.ctx, {
      id,
      mended: { body: bytes.toString("base64"), bodyEncoding: "base64" },
    });
    const shown = await getDeadLetter(edge.ctx, { id });
    expect([shown.mendedBody, shown.mendedBodyEncoding]).toEqual([bytes.toString("base64"), "base64"]);
    const faulty = mendDeadLetter(edge.ctx, { id, mended: { body: "%%", bodyEncoding: "base64" } });
    await expect(faulty).rejects.toMatchObject({ code: "invalid_input" });
  });

  test("takes every body that an endpoint takes, and no larger one", async () => {
    const { id } = await newDead();
    const { key } = await createApiKey(edge.ctx, { name: "mending", scopes: ["webhooks:write"] });
    const answer = await fetch(`${edge.baseUrl}/api/v1/dead-letters/${id}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ body: MENDED.padEnd(2 ** 21) }),
    });
    expect(answer.status).toBe(200);
    expect((await getDeadLetter(edge.ctx, { id })).mendedBody).toBe(MENDED.padEnd(2 ** 21));
    const larger = mendDeadLetter(edge.ctx, { id, mended: { body: "x".repeat(BODY_BYTES_MAX + 1) } });
    await expect(larger).rejects.toMatchObject({ code: "invalid_input" });
  });

  test("takes a mended body back, and refuses to change what was replayed", async () => {
    const { id } = await newDead();
    await mendDeadLetter(edge.ctx, { id, mended: { body: MENDED } });
    expect((await mendDeadLetter(edge.ctx, { id, mended: { body: null } })).isMended).toBe(false);
    await replayDeadLetter(edge.ctx, { id });
    const late = mendDeadLetter(edge.ctx, { id, mended: { body: MENDED } });
    await expect(late).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("replayDeadLetter()", () => {
  test("counts as accepted again, once, and keeps the books balanced", async () => {
    const { id } = await newDead();
    const { accepted } = await checkConservation(edge.runtime);
    await replayDeadLetter(edge.ctx, { id });
    await expect(replayDeadLetter(edge.ctx, { id })).rejects.toMatchObject({ code: "conflict" });
    const books = await checkConservation(edge.runtime);
    expect([books.accepted - accepted, books.difference]).toEqual([1, 0]);
  });

  test("is done by a replay of the receipt too", async () => {
    const dead = await newDead();
    await replayReceipt(edge.ctx, { id: dead.receiptId });
    expect((await getDeadLetter(edge.ctx, { id: dead.id })).status).toBe("REPLAYED");
  });

  test("answers 409 when retention has removed the receipt and the endpoint was deleted", async () => {
    const dead = await newDead();
    await edge.runtime.sqlSystem`delete from webhook_receipts where id = ${dead.receiptId}`;
    await edge.runtime
      .sqlSystem`update webhook_endpoints set deleted_at = now() where id = ${dead.endpointId}`;
    await expect(replayDeadLetter(edge.ctx, { id: dead.id })).rejects.toMatchObject({ code: "conflict" });
    expect((await getDeadLetter(edge.ctx, { id: dead.id })).status).toBe("OPEN");
  });
});

describe("replayDeadLetters()", () => {
  test("replays all open ones that match the filter, and only those", async () => {
    const endpoint = await makeEndpoint(edge);
    const wanted = [
      await insertDead(endpoint.id, "target_rejected"),
      await insertDead(endpoint.id, "target_rejected"),
    ];
    const other = await insertDead(endpoint.id, "model_invalid");
    const gone = await insertDead(endpoint.id, "target_rejected");
    const waiting = await insertDead(endpoint.id, "target_rejected");
    await edge.runtime.sqlSystem`update webhook_receipts set status = 'HELD' where id = ${waiting.receiptId}`;
    await edge.runtime.sqlSystem`delete from webhook_receipts where id = ${gone.receiptId}`;

    const filter = { endpointId: endpoint.id, reasonCode: "target_rejected" };
    const outcome = await replayDeadLetters(edge.ctx, { filter });
    expect(outcome).toEqual({ replayed: 3, skipped: 1, isComplete: true });
    for (const { receiptId } of wanted) expect(await statusOf(receiptId)).toBe("RETRYING");
    expect(await statusOf(other.receiptId)).toBe("DEAD");
    expect((await checkConservation(edge.runtime)).difference).toBe(0);
  });
});

describe("deleteDeadLetter()", () => {
  test("cancels the receipt, leaves the books alone, and shows it no more", async () => {
    const dead = await newDead();
    const before = await checkConservation(edge.runtime);
    await deleteDeadLetter(edge.ctx, { id: dead.id });
    expect(await statusOf(dead.receiptId)).toBe("CANCELLED");
    expect(await checkConservation(edge.runtime)).toEqual(before);
    await expect(getDeadLetter(edge.ctx, { id: dead.id })).rejects.toMatchObject({ code: "not_found" });
    expect((await listDeadLetters(edge.ctx, { endpointId: dead.endpointId })).data).toEqual([]);
  });

  test("refuses what was replayed", async () => {
    const { id } = await newDead();
    await replayDeadLetter(edge.ctx, { id });
    await expect(deleteDeadLetter(edge.ctx, { id })).rejects.toMatchObject({ code: "conflict" });
  });
});
