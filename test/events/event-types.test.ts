import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { BUILT_IN_TYPES, schemaOfSample } from "../../src/domain/events/built-in-types.ts";
import { EventTypeCatalogue } from "../../src/domain/events/event-type-catalogue.ts";
import { matchesPattern, readEventPattern, readEventType } from "../../src/domain/events/event-type.ts";
import { compileSchema } from "../../src/platform/json/compile-schema.ts";
import { type Answer, startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";

// A Cluster takes seconds to form; a test cut short has its Redis killed by the runner.
setDefaultTimeout(60_000);

let hub: TestApp;
let tenant: TestTenant;
beforeAll(async () => {
  hub = await startTestApp();
  tenant = await hub.newTenant();
});
afterAll(() => hub.stop());

const PATH = "/api/v1/event-types";
const put = (type: string, body: object): Promise<Answer> =>
  hub.call("PUT", `${PATH}/${type}`, { key: tenant.apiKey, body });
const errorsOf = ({ json }: Answer): string[] =>
  ((json["errors"] ?? []) as { path: string }[]).map(({ path }) => path);

describe("readEventType()", () => {
  test.each<[string, string | undefined]>([
    ["order.created", "order.created"],
    ["ORDER_CREATED", "order.created"],
    ["ORDER_STATUS_CHANGED", "order.status_changed"],
    ["PING", "ping"],
    ["order.status-changed2", "order.status-changed2"],
    ["Order.Created", undefined],
    ["order..created", undefined],
    [".order", undefined],
    ["order created", undefined],
    ["order.*", undefined],
    ["x".repeat(101), undefined],
  ])("reads %s as %s", (text, type) => {
    expect(readEventType(text)).toBe(type as string);
  });

  test.each<[string, string | undefined, string[], string[]]>([
    ["*", "*", ["a", "order.created"], []],
    ["order.*", "order.*", ["order.created"], ["orders.created", "load.x"]],
    ["ORDER_*", "order.*", ["order.created"], ["load.x"]],
    ["ord*", "ord*", ["order.created", "ord"], ["load.x"]],
    ["order.created", "order.created", ["order.created"], ["order.created2"]],
    ["order.*.x", undefined, [], []],
    ["**", undefined, [], []],
    ["", undefined, [], []],
  ])("the pattern %s is stored as %s", (text, pattern, taken, left) => {
    expect(readEventPattern(text)).toBe(pattern as string);
    for (const type of taken) expect(matchesPattern(pattern!, type)).toBe(true);
    for (const type of left) expect(matchesPattern(pattern!, type)).toBe(false);
  });
});

describe("GET /api/v1/event-types", () => {
  test("lists every published and subscribed event of the specification with a sample", async () => {
    const { json } = await hub.call("GET", PATH, { key: tenant.apiKey });
    const types = json["data"] as { type: string; origin: string; sample: unknown }[];
    const names = types.map(({ type }) => type);
    expect(names).toEqual(names.toSorted());
    const published =
      "integration.created integration.updated integration.deleted integration.connected integration.disconnected " +
      "integration.error webhook.received webhook.delivered webhook.failed sync.started sync.completed sync.failed " +
      "circuit.opened circuit.closed";
    const subscribed = "order.created order.status_changed load.delivered carrier.approved invoice.generated";
    const originOf = new Map(types.map(({ type, origin }) => [type, origin]));
    for (const type of published.split(" ")) expect(originOf.get(type)).toBe("HUB");
    for (const type of subscribed.split(" ")) expect(originOf.get(type)).toBe("PLATFORM");
    for (const { sample } of types) expect(sample).toBeObject();
  });

  test("samples of the hub's own types fit their schemas", () => {
    for (const { sample } of Object.values(BUILT_IN_TYPES)) {
      const compiled = compileSchema(schemaOfSample(sample));
      expect(compiled.ok && compiled.check(sample) === undefined).toBe(true);
    }
  });
});

describe("PUT /api/v1/event-types/:type", () => {
  test("makes a version for each other schema or sample, and keeps the earlier ones", async () => {
    const first = await put("ORDER_SHIPPED", { description: "Shipped", schema: { type: "object" } });
    expect([first.status, first.json["type"], first.json["version"]]).toEqual([201, "order.shipped", 1]);
    const same = await put("order.shipped", { schema: { type: "object" } });
    expect([same.status, same.json["version"]]).toEqual([200, 1]);
    const second = await put("order.shipped", {
      schema: { type: "object", required: ["id"] },
      sample: { id: 1 },
    });
    expect(second.json).toMatchObject({ version: 2, description: "Shipped", sample: { id: 1 } });
    const { json } = await hub.call("GET", `${PATH}/order.shipped`, { key: tenant.apiKey });
    expect((json["versions"] as { version: number }[]).map(({ version }) => version)).toEqual([2, 1]);
    const off = await put("order.shipped", { schema: null });
    expect(off.json).toMatchObject({ version: 3, schema: null, sample: { id: 1 } });
  });

  test("refines a known type for this tenant only", async () => {
    await put("load.delivered", { schema: { type: "object" } });
    const other = await hub.newTenant();
    const shown = await hub.call("GET", `${PATH}/load.delivered`, { key: other.apiKey });
    expect(shown.json).toMatchObject({ origin: "PLATFORM", schema: null, versions: [] });
  });

  test("refuses a type of the hub's own with 409, and one that is none with 422", async () => {
    expect((await put("webhook.received", {})).status).toBe(409);
    expect((await put("Not%20One", {})).status).toBe(422);
  });

  test.each<[string, object, string]>([
    ["no JSON Schema", { type: "strang" }, "/schema"],
    ["another draft", { $schema: "http://json-schema.org/draft-04/schema#" }, "/schema/$schema"],
    ["a reference to elsewhere", { $ref: "https://example.com/s.json" }, "/schema/$ref"],
    ["a reference to nowhere", { $ref: "#/$defs/x" }, "/schema/$ref"],
    ["itself", { properties: { a: { $ref: "#" } } }, "/schema/properties/a/$ref"],
    ["a pattern that looks ahead", { pattern: "(?=a)" }, "/schema"],
    ["unbounded unique items", { uniqueItems: true }, "/schema/uniqueItems"],
    [
      "references that multiply",
      {
        $defs: Object.fromEntries(
          Array.from({ length: 30 }, (_, n) => [
            `d${n}`,
            n === 29 ? {} : { allOf: [{ $ref: `#/$defs/d${n + 1}` }, { $ref: `#/$defs/d${n + 1}` }] },
          ]),
        ),
        $ref: "#/$defs/d0",
      },
      "/schema",
    ],
    ["more than 64 KiB", { description: "x".repeat(70_000) }, "/schema"],
  ])("refuses a schema that is or has %s", async (_name, schema, path) => {
    const answer = await put("order.odd", { schema });
    expect([answer.status, errorsOf(answer)]).toEqual([422, [path]]);
  });

  test("refuses a sample that does not fit its schema, with the path", async () => {
    const answer = await put("order.odd", { schema: { required: ["id"] }, sample: { a: 1 } });
    expect([answer.status, errorsOf(answer)]).toEqual([422, ["/sample/id"]]);
  });
});

describe("compileSchema()", () => {
  test("runs patterns in linear time", () => {
    const compiled = compileSchema({ type: "string", pattern: "^(a+)+$" });
    expect(compiled.ok && compiled.check(`${"a".repeat(50_000)}!`)).toMatchObject({ path: "" });
    expect(compiled.ok && compiled.check("aaa")).toBeUndefined();
  });

  test("keeps two patterns apart", () => {
    const compiled = compileSchema({ properties: { a: { pattern: "^x" }, b: { pattern: "^y" } } });
    expect(compiled.ok && compiled.check({ a: "x", b: "y" })).toBeUndefined();
    expect(compiled.ok && compiled.check({ a: "x", b: "x" })).toMatchObject({ path: "/b" });
  });

  test("reads draft-07 where the schema says so", () => {
    const compiled = compileSchema({
      $schema: "http://json-schema.org/draft-07/schema#",
      items: [{ type: "string" }],
    });
    expect(compiled.ok && compiled.check([1])).toMatchObject({ path: "/0" });
  });
});

describe("EventTypeCatalogue", () => {
  test("reads once for all who ask at the same time, also when its time is over, and anew after a change", async () => {
    let nowMs = Date.now();
    let reads = 0;
    const { runtime } = hub;
    const sqlSystem = new Proxy(runtime.sqlSystem, {
      apply(target, self, args) {
        reads++;
        return Reflect.apply(target, self, args) as unknown;
      },
    });
    const catalogue = new EventTypeCatalogue({ ...runtime, sqlSystem, clock: { nowMs: () => nowMs } });
    const ask = (count: number) =>
      Promise.all(Array.from({ length: count }, () => catalogue.ruleOf(tenant.id, "never.known", undefined)));
    await ask(50);
    nowMs += 60_000;
    await ask(50);
    expect(reads).toBe(2);
    const before = ask(10);
    nowMs += 60_000;
    const asked = ask(10);
    catalogue.invalidate(tenant.id);
    await Promise.all([before, asked, ask(10)]);
    expect(reads).toBe(4);
  });
});
