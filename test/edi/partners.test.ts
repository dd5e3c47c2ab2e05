import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSubscription } from "../../src/domain/subscriptions/create-subscription.ts";
import { newId } from "../../src/platform/uuid.ts";
import { startTestApp, type TestApp } from "../edge/app-fixture.ts";

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp();
});
afterAll(() => hub.stop());

const PATH = "/api/v1/edi/partners";
const partner = {
  name: "ACME Freight",
  isaQualifier: "ZZ",
  isaId: "ACMEFREIGHT",
  ownIsaQualifier: "02",
  ownIsaId: "SCAC",
};

describe("POST /api/v1/edi/partners", () => {
  test("adds a partner; group ids, version and numbers have their defaults", async () => {
    const { apiKey, id } = await hub.newTenant();
    const made = await hub.call("POST", PATH, { key: apiKey, body: partner });
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({
      ...partner,
      tenantId: id,
      gsId: "ACMEFREIGHT",
      ownGsId: "SCAC",
      version: "004010",
      settings: {},
      controlNumbers: { ISA: 0, GS: 0, ST: 0 },
    });
    const shown = await hub.call("GET", `${PATH}/${String(made.json["id"])}`, { key: apiKey });
    expect(shown.json).toEqual(made.json);
    const list = await hub.call("GET", PATH, { key: apiKey });
    expect(list.json["data"]).toEqual([made.json]);
  });

  test("takes the numbers that another system used last", async () => {
    const { apiKey } = await hub.newTenant();
    const body = { ...partner, controlNumbers: { ISA: 4711, ST: 12 } };
    const made = await hub.call("POST", PATH, { key: apiKey, body });
    expect(made.json["controlNumbers"]).toEqual({ ISA: 4711, GS: 0, ST: 12 });
  });

  test("refuses the envelope of another partner of the tenant with 409, not of another tenant", async () => {
    const [mine, theirs] = [await hub.newTenant(), await hub.newTenant()];
    expect((await hub.call("POST", PATH, { key: mine.apiKey, body: partner })).status).toBe(201);
    expect((await hub.call("POST", PATH, { key: theirs.apiKey, body: partner })).status).toBe(201);
    const again = await hub.call("POST", PATH, { key: mine.apiKey, body: { ...partner, name: "Twice" } });
    expect([again.status, again.json["code"]]).toEqual([409, "conflict"]);
    const other = { ...partner, ownIsaId: "OTHER" };
    expect((await hub.call("POST", PATH, { key: mine.apiKey, body: other })).status).toBe(201);
  });

  test.each([
    ["an id of sixteen characters", { isaId: "A".repeat(16) }, "/isaId"],
    ["a qualifier of one", { isaQualifier: "Z" }, "/isaQualifier"],
    ["an id that is its own", { isaQualifier: "02", isaId: "SCAC" }, "/isaId"],
    ["a group id of one character", { gsId: "A" }, "/gsId"],
    ["a version that is none", { version: "4010" }, "/version"],
    ["a separator in an id", { isaId: "AC*ME" }, "/isaId"],
    [
      "equal separators",
      { settings: { writing: { separators: { element: "|", segment: "|" } } } },
      "/settings/writing/separators/segment",
    ],
    [
      "a separator that is the usual one of another kind",
      { settings: { writing: { separators: { component: "*" } } } },
      "/settings/writing/separators/component",
    ],
    [
      "a blank as separator",
      { settings: { writing: { separators: { component: " " } } } },
      "/settings/writing/separators/component",
    ],
    [
      "a letter as separator",
      { settings: { writing: { separators: { element: "A" } } } },
      "/settings/writing/separators/element",
    ],
    ["an unknown setting", { settings: { colour: "red" } }, "/settings/colour"],
    ["a set code of two", { settings: { sets: { "20": { template: "x" } } } }, "/settings/sets/20"],
    [
      "a template that is not there",
      { settings: { sets: { "204": { template: "none" } } } },
      "/settings/sets/204/template",
    ],
    ["another's subscription", { settings: { subscriptionId: newId() } }, "/settings/subscriptionId"],
  ])("refuses %s with 422 at its place", async (_what, change, path) => {
    const { apiKey } = await hub.newTenant();
    const answer = await hub.call("POST", PATH, { key: apiKey, body: { ...partner, ...change } });
    expect([answer.status, answer.json["code"]]).toEqual([422, "invalid_input"]);
    const paths = (answer.json["errors"] as { path: string }[]).map((error) => error.path);
    expect(paths.some((one) => one.startsWith(path))).toBe(true);
  });

  test("a subscription must take edi.document events", async () => {
    const tenant = await hub.newTenant();
    const [deaf, good] = await Promise.all(
      [["order.created"], ["edi.*"]].map((eventTypes) =>
        createSubscription(tenant.ctx, { name: "Van", url: "https://van.example.com/in", eventTypes }),
      ),
    );
    const withSubscription = (subscriptionId: string) => ({ ...partner, settings: { subscriptionId } });
    const refused = await hub.call("POST", PATH, { key: tenant.apiKey, body: withSubscription(deaf!.id) });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain("edi.document");
    const made = await hub.call("POST", PATH, { key: tenant.apiKey, body: withSubscription(good!.id) });
    expect(made.status).toBe(201);
  });
});

describe("PUT and DELETE /api/v1/edi/partners/:id", () => {
  test("change what is given, null resets, and the whole is judged", async () => {
    const { apiKey } = await hub.newTenant();
    const made = await hub.call("POST", PATH, { key: apiKey, body: { ...partner, gsId: "ACMEGS" } });
    const path = `${PATH}/${String(made.json["id"])}`;
    const settings = { acknowledgment: "999", reading: { mode: "lenient" }, duplicateDays: 5 };
    const body = { settings, version: "005010", gsId: null, controlNumbers: { GS: 9 } };
    const changed = await hub.call("PUT", path, { key: apiKey, body });
    expect(changed.status).toBe(200);
    expect(changed.json).toMatchObject({
      name: partner.name,
      settings,
      version: "005010",
      gsId: "ACMEFREIGHT",
      controlNumbers: { ISA: 0, GS: 9, ST: 0 },
    });
    const refused = await hub.call("PUT", path, { key: apiKey, body: { ownIsaId: "A~B" } });
    expect(refused.status).toBe(422);
    const reset = await hub.call("PUT", path, { key: apiKey, body: { settings: null, version: null } });
    expect(reset.json).toMatchObject({ settings: {}, version: "004010" });
  });

  test("another tenant's partner is not there", async () => {
    const [mine, theirs] = [await hub.newTenant(), await hub.newTenant()];
    const made = await hub.call("POST", PATH, { key: mine.apiKey, body: partner });
    const path = `${PATH}/${String(made.json["id"])}`;
    for (const method of ["GET", "PUT", "DELETE"]) {
      const body = method === "PUT" ? { body: { name: "x" } } : {};
      expect((await hub.call(method, path, { key: theirs.apiKey, ...body })).status).toBe(404);
    }
    expect((await hub.call("GET", path, { key: mine.apiKey })).json["name"]).toBe(partner.name);
  });

  test("a deleted partner is gone, and its envelope is free again", async () => {
    const { apiKey } = await hub.newTenant();
    const made = await hub.call("POST", PATH, { key: apiKey, body: partner });
    const path = `${PATH}/${String(made.json["id"])}`;
    expect((await hub.call("DELETE", path, { key: apiKey })).status).toBe(204);
    expect((await hub.call("GET", path, { key: apiKey })).status).toBe(404);
    expect((await hub.call("DELETE", path, { key: apiKey })).status).toBe(404);
    expect((await hub.call("POST", PATH, { key: apiKey, body: partner })).status).toBe(201);
  });

  test("every change stands in the audit log", async () => {
    const { apiKey, ctx } = await hub.newTenant();
    const made = await hub.call("POST", PATH, { key: apiKey, body: partner });
    const path = `${PATH}/${String(made.json["id"])}`;
    await hub.call("PUT", path, { key: apiKey, body: { name: "New", controlNumbers: { ST: 3 } } });
    await hub.call("DELETE", path, { key: apiKey });
    const rows = await hub.runtime.sqlSystem<{ verb: string; changedFields: string[] }[]>`
      select verb, changed_fields as "changedFields" from audit_log
      where tenant_id = ${ctx.tenantId} and object_type = 'edi_partner' order by id`;
    expect(rows.map(({ verb }) => verb)).toEqual([
      "edi_partner.create",
      "edi_partner.update",
      "edi_partner.delete",
    ]);
    expect(rows[1]!.changedFields).toEqual(["name", "controlNumbers"]);
  });
});
