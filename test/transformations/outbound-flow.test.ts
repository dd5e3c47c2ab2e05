import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { followSubscriptions } from "../../src/domain/events/publish-hub-event.ts";
import { shadowTransformation } from "../../src/domain/inbound/shadow-transformation.ts";
import { createTransformation } from "../../src/domain/transformations/create-transformation.ts";
import { resumeTransformation } from "../../src/domain/transformations/resume-transformation.ts";
import { updateTransformation } from "../../src/domain/transformations/update-transformation.ts";
import { newId } from "../../src/platform/uuid.ts";
import {
  attemptsOf,
  type DeliveryFixture,
  Receiver,
  startDeliveries,
  startWorker,
  until,
} from "../deliveries/delivery-fixture.ts";

let fixture: DeliveryFixture;
let worker: Awaited<ReturnType<typeof startWorker>>;
beforeAll(async () => {
  fixture = await startDeliveries();
  worker = await startWorker(fixture);
  await followSubscriptions(worker.runtime);
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await fixture.stop();
}, 60_000);

async function template(
  targetFormat: "JSON" | "XML" | "CSV",
  mappingRules: object,
): Promise<{ id: string; code: string }> {
  const code = `t-${newId().slice(-12)}`;
  const { id } = await createTransformation(fixture.ctx, {
    code,
    name: code,
    sourceFormat: "JSON",
    targetFormat,
    mappingRules: mappingRules as never,
  });
  return { id, code };
}

const LOAD_XML = {
  rules: [
    { target: "Load.@id", from: "data.id" },
    { target: "Load.Note", from: "data.note" },
  ],
};

describe("a subscription that names a template", () => {
  test.each<["XML" | "CSV", object, string | undefined, string, string]>([
    [
      "XML",
      LOAD_XML,
      undefined,
      "application/xml",
      '<?xml version="1.0" encoding="UTF-8"?>\n<Load id="L-1"><Note>a &lt; b</Note></Load>\n',
    ],
    ["XML", LOAD_XML, "text/xml", "text/xml", '<Load id="L-1"><Note>a &lt; b</Note></Load>'],
    [
      "CSV",
      {
        rules: [
          { target: "[0].id", from: "data.id" },
          { target: "[0].note", from: "data.note" },
        ],
      },
      undefined,
      "text/csv; charset=utf-8",
      "id,note\r\nL-1,a < b\r\n",
    ],
  ])("sends %s, signed, with its content type (%#)", async (format, rules, given, contentType, body) => {
    const receiver = new Receiver();
    const type = `order.${newId()}`;
    const { code } = await template(format, rules);
    const { secretKey } = await fixture.subscribe(receiver.url, {
      eventTypes: [type],
      transformTemplate: { template: code, version: 1 },
      ...(given === undefined ? {} : { contentType: given }),
    });
    await fixture.publish([{ type, data: { id: "L-1", note: "a < b" } }]);
    await until("it is delivered", () => receiver.requests.length === 1);
    const [request] = receiver.requests;
    expect(request!.headers.get("content-type")).toBe(contentType);
    expect(request!.body.trim()).toContain(body.trim().split("\n").at(-1)!);
    const headers = Object.fromEntries(
      ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => [
        name,
        request!.headers.get(name)!,
      ]),
    );
    // The library reads JSON; what it throws after a good signature is of that.
    expect(() => new Webhook(secretKey).verify(request!.body, headers)).toThrow(SyntaxError);
    await receiver.stop();
  });

  test("holds its deliveries while the template rests or is off, and sends them afterwards", async () => {
    const receiver = new Receiver();
    const type = `order.${newId()}`;
    const { id, code } = await template("JSON", {
      rules: [{ target: "id", from: "data.id", required: true }],
    });
    const subscription = await fixture.subscribe(receiver.url, {
      eventTypes: [type],
      transformTemplate: { template: code },
      retryEnabled: false,
    });
    await fixture.runtime.sqlSystem`
      insert into transformation_pauses (tenant_id, template_id, version, code, message, failures, pauses, paused_at,
        paused_until)
      values (${fixture.ctx.tenantId}, ${id}, 1, 'mapping_failed', 'x', 20, 1, now(), now() + interval '1 hour')`;
    await fixture.publish([{ type, data: { id: "L-1" } }]);
    await Bun.sleep(1_500);
    expect(receiver.requests).toHaveLength(0);
    expect(await attemptsOf(fixture, subscription.id)).toEqual([]);
    await resumeTransformation(fixture.ctx, { id });
    await until("it is delivered", () => receiver.requests.length === 1, 45_000);
    await updateTransformation(fixture.ctx, { id, changes: { isActive: false } });
    // A worker that begins now has heard of it.
    await worker.stop();
    worker = await startWorker(fixture);
    await followSubscriptions(worker.runtime);
    await fixture.publish([{ type, data: { id: "L-2" } }]);
    await Bun.sleep(1_500);
    expect(receiver.requests).toHaveLength(1);
    await updateTransformation(fixture.ctx, { id, changes: { isActive: true } });
    await until("it is delivered too", () => receiver.requests.length === 2, 45_000);
    await receiver.stop();
  }, 120_000);

  test("is told of a pause and of its end by events", async () => {
    const receiver = new Receiver();
    const hooks = new Receiver();
    const type = `order.${newId()}`;
    const { code } = await template("JSON", { rules: [{ target: "id", from: "data.id", required: true }] });
    await fixture.subscribe(receiver.url, {
      eventTypes: [type],
      transformTemplate: { template: code },
      retryEnabled: false,
    });
    await fixture.subscribe(hooks.url, { eventTypes: ["transformation.*"] });
    await fixture.publish(Array.from({ length: 25 }, () => ({ type, data: {} })));
    const outbox = async (): Promise<{ type: string; code: string }[]> => fixture.runtime.sqlSystem`
      select event_type as type, payload ->> 'code' as code from outbox
      where tenant_id = ${fixture.ctx.tenantId} and event_type like 'transformation.%'`;
    await until("the pause is in the outbox", async () =>
      (await outbox()).some((row) => row.type === "transformation.paused" && row.code === code),
    );
    expect((await outbox()).filter((row) => row.code === code)).toHaveLength(1);
    await receiver.stop();
    await hooks.stop();
  }, 60_000);
});

describe("shadowTransformation()", () => {
  test("compares a new version on the events of a subscription's deliveries, and sends nothing", async () => {
    const receiver = new Receiver();
    const type = `order.${newId()}`;
    const { id, code } = await template("JSON", { rules: [{ target: "n", from: "data.n" }] });
    const { id: subscriptionId } = await fixture.subscribe(receiver.url, {
      eventTypes: [type],
      transformTemplate: { template: code },
    });
    await fixture.publish([1, 2, 3].map((n) => ({ type, data: { n } })));
    await until("they are stored", async () => (await attemptsOf(fixture, subscriptionId)).length === 3);
    const rules = [{ target: "n", from: { call: "add", args: ["data.n", 0.5] } }];
    await updateTransformation(fixture.ctx, { id, changes: { mappingRules: { rules } } });
    const report = await shadowTransformation(fixture.ctx, {
      id,
      subscriptionId,
      baseline: 1,
      candidate: { version: 2 },
    });
    expect(report).toMatchObject({ baselineVersion: 1, candidateVersion: 2, compared: 3, different: 3 });
    expect(report.findings.map(({ differences }) => differences[0])).toContainEqual({
      pointer: "/n",
      before: 3,
      after: 3.5,
    });
    expect(receiver.requests).toHaveLength(3);
    await receiver.stop();
  });
});
