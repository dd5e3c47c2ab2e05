import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Answer, startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";

let hub: TestApp;
let tenant: TestTenant;
beforeAll(async () => {
  hub = await startTestApp({ env: { API_RATE_LIMIT: "100000/60" } });
  tenant = await hub.newTenant();
}, 60_000);
afterAll(() => hub.stop(), 60_000);

const PATH = "/api/v1/transformations";
const RULES = {
  rules: [
    { target: "loadId", from: "shipment.id", required: true },
    { target: "status", from: { call: "upper", args: ["shipment.state"] } },
  ],
};
const GOOD = { sourceFormat: "JSON", targetFormat: "JSON", mappingRules: RULES };
const INPUT = { shipment: { id: "L-1", state: "delivered" } };
const OUTPUT = { loadId: "L-1", status: "DELIVERED" };

let lastCode = 0;
const newCode = (): string => `template-${++lastCode}`;
const call = (method: string, path: string, body?: object): Promise<Answer> =>
  hub.call(method, `${PATH}${path}`, { key: tenant.apiKey, ...(body === undefined ? {} : { body }) });
const create = (more: object = {}): Promise<Answer> =>
  call("POST", "", { ...GOOD, code: newCode(), name: "Acme status", ...more });
const errorsOf = ({ json }: Answer): { path: string; message: string }[] =>
  (json["errors"] ?? []) as { path: string; message: string }[];
const auditOf = async (id: unknown): Promise<string[]> => {
  const rows = await hub.runtime.sqlSystem<{ verb: string }[]>`
    select verb from audit_log where tenant_id = ${tenant.id} and object_id = ${String(id)} order by id`;
  return rows.map(({ verb }) => verb);
};

describe("POST /api/v1/transformations", () => {
  test("creates a template with version 1, whose tests ran", async () => {
    const { status, json } = await create({
      category: "LOAD",
      tests: [{ name: "delivered", input: INPUT, expected: OUTPUT }],
    });
    expect(status).toBe(201);
    expect(json).toMatchObject({
      tenantId: tenant.id,
      version: 1,
      isSystem: false,
      isActive: true,
      category: "LOAD",
      mappingRules: RULES,
      validationRules: null,
      pauses: [],
    });
    const tests = await call("GET", `/${String(json["id"])}/tests`);
    expect(tests.json["data"]).toMatchObject([
      { name: "delivered", input: JSON.stringify(INPUT), lastPassed: true, lastMessage: null },
    ]);
    expect(await auditOf(json["id"])).toEqual(["transformation.create"]);
  });

  test("stores nothing while a test fails, and tells where the output differs", async () => {
    const code = newCode();
    const refused = await create({
      code,
      tests: [
        { name: "good", input: INPUT, expected: OUTPUT },
        { name: "wrong", input: INPUT, expected: { ...OUTPUT, status: "LOST" } },
      ],
    });
    expect(refused.status).toBe(422);
    expect(errorsOf(refused)).toEqual([
      { path: "/tests/1", message: 'wrong: /status: "LOST" is expected, not "DELIVERED"' },
    ]);
    expect((await call("GET", `?code=${code}`)).json["data"]).toEqual([]);
  });

  test("takes a test that expects a refusal", async () => {
    const tests = [{ name: "no id", input: { shipment: {} }, expectedCode: "required_missing" }];
    expect((await create({ tests })).status).toBe(201);
    const passing = [{ name: "with id", input: INPUT, expectedCode: "required_missing" }];
    expect(errorsOf(await create({ tests: passing }))[0]?.message).toContain("It passes");
  });

  test("tells every fault of a mapping at once, by JSON pointer", async () => {
    const refused = await create({
      mappingRules: {
        rules: [
          { target: "a", from: { call: "nothing" } },
          { target: "b", from: "a..b" },
          { target: "c", from: { mapping: "no-such-template" } },
          { target: "d", from: { jsonata: "$(" } },
        ],
      },
    });
    expect(refused.status).toBe(422);
    const paths = errorsOf(refused).map(({ path }) => path.split("/").slice(0, 4).join("/"));
    for (let index = 0; index < 4; index++) expect(paths).toContain(`/mappingRules/rules/${index}`);
  });

  test.each<[string, object, string]>([
    ["a code with a space", { code: "a b" }, "/code"],
    ["a code that is an id", { code: crypto.randomUUID() }, "/code"],
    ["an unknown format", { sourceFormat: "PDF" }, "/sourceFormat"],
    [
      "an unknown setting",
      { mappingRules: { ...RULES, source: { speed: 1 } } },
      "/mappingRules/source/speed",
    ],
    [
      "a record path of X12",
      { sourceFormat: "X12", mappingRules: { ...RULES, recordPath: "a" } },
      "/mappingRules/recordPath",
    ],
    [
      "a document of the wrong kind",
      { sourceFormat: "XML", tests: [{ name: "x", input: {} }] },
      "/tests/0/input",
    ],
    [
      "a name twice",
      {
        tests: [
          { name: "x", input: INPUT },
          { name: "x", input: INPUT },
        ],
      },
      "/tests/1/name",
    ],
    ["an unknown field", { tenantId: "x" }, "/tenantId"],
  ])("refuses %s", async (_name, more, path) => {
    const refused = await create(more);
    expect(refused.status).toBe(422);
    expect(errorsOf(refused).map((error) => error.path)).toContain(path);
  });

  test("refuses a code that is taken, and a template that calls itself", async () => {
    const code = newCode();
    expect((await create({ code })).status).toBe(201);
    const again = await create({ code });
    expect([again.status, again.json["code"]]).toEqual([409, "conflict"]);
    const own = newCode();
    const circle = await create({
      code: own,
      mappingRules: { rules: [{ target: "", from: { mapping: own } }] },
    });
    expect(circle.status).toBe(422);
  });
});

describe("PUT /api/v1/transformations/:id", () => {
  test("makes the next version of another mapping, and none of another name", async () => {
    const { json } = await create();
    const id = String(json["id"]);
    const renamed = await call("PUT", `/${id}`, { name: "Renamed" });
    expect(renamed.json).toMatchObject({ name: "Renamed", version: 1 });
    const mappingRules = { rules: [{ target: "number", from: "shipment.id" }] };
    const changed = await call("PUT", `/${id}`, { mappingRules, note: "Shorter" });
    expect(changed.json).toMatchObject({ name: "Renamed", version: 2, mappingRules });
    const versions = await call("GET", `/${id}/versions`);
    expect(versions.json["data"]).toMatchObject([
      { version: 2, note: "Shorter", mappingRules },
      { version: 1, note: null, mappingRules: RULES },
    ]);
    expect((await call("GET", `/${id}/versions/1`)).json).toMatchObject({ mappingRules: RULES });
    expect((await call("GET", `/${id}/versions/3`)).status).toBe(404);
    expect(await auditOf(id)).toEqual([
      "transformation.create",
      "transformation.update",
      "transformation.update",
    ]);
  });

  test("refuses a change that was made from an older version", async () => {
    const id = String((await create()).json["id"]);
    const mappingRules = { rules: [{ target: "a", from: "b" }] };
    expect((await call("PUT", `/${id}`, { mappingRules, version: 1 })).json["version"]).toBe(2);
    const late = await call("PUT", `/${id}`, { name: "x", version: 1 });
    expect([late.status, late.json["code"]]).toEqual([409, "conflict"]);
  });

  test("makes one version of two changes at once from the same one", async () => {
    const id = String((await create()).json["id"]);
    const answers = await Promise.all(
      ["a", "b", "c", "d"].map((target) =>
        call("PUT", `/${id}`, { mappingRules: { rules: [{ target, from: "x" }] }, version: 1 }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
    expect((await call("GET", `/${id}`)).json["version"]).toBe(2);
  });

  test("runs the stored tests of the template before the new version stands", async () => {
    const tests = [{ name: "delivered", input: INPUT, expected: OUTPUT }];
    const id = String((await create({ tests })).json["id"]);
    const mappingRules = { rules: [{ target: "loadId", from: "shipment.id" }] };
    const refused = await call("PUT", `/${id}`, { mappingRules });
    expect(errorsOf(refused)).toMatchObject([{ path: "/tests/0" }]);
    expect((await call("GET", `/${id}`)).json["version"]).toBe(1);
    const together = await call("PUT", `/${id}`, {
      mappingRules,
      tests: [{ name: "short", input: INPUT, expected: { loadId: "L-1" } }],
    });
    expect(together.json["version"]).toBe(2);
  });

  test("keeps the formats while somebody follows the newest version", async () => {
    const code = newCode();
    const id = String((await create({ code })).json["id"]);
    await hub.call("POST", "/api/v1/webhooks/endpoints", {
      key: tenant.apiKey,
      body: { handlerType: "CUSTOM", signatureScheme: "github", transformTemplate: { template: code } },
    });
    const refused = await call("PUT", `/${id}`, { targetFormat: "XML" });
    expect([refused.status, refused.json["code"]]).toEqual([409, "in_use"]);
  });

  test("never changes a version in Postgres", async () => {
    const id = String((await create()).json["id"]);
    const change = hub.runtime
      .sqlSystem`update transformation_versions set note = 'x' where template_id = ${id}`;
    expect(
      await change.then(
        () => "changed",
        (error: { code: string }) => error.code,
      ),
    ).toBe("42501");
  });
});

describe("POST /api/v1/transformations/:id/rollback", () => {
  test("makes the earlier content the newest version under the next number", async () => {
    const id = String((await create()).json["id"]);
    await call("PUT", `/${id}`, { mappingRules: { rules: [{ target: "a", from: "b" }] } });
    const back = await call("POST", `/${id}/rollback`, { version: 1, note: "broke" });
    expect(back.json).toMatchObject({ version: 3, mappingRules: RULES });
    const newest = await call("GET", `/${id}/versions/3`);
    expect(newest.json).toMatchObject({ restoredFrom: 1, note: "broke" });
    expect((await call("POST", `/${id}/rollback`, { version: 3 })).status).toBe(409);
    expect((await call("POST", `/${id}/rollback`, { version: 9 })).status).toBe(422);
  });
});

describe("DELETE /api/v1/transformations/:id", () => {
  test("answers 409 with each user: endpoint, subscription, other template", async () => {
    const code = newCode();
    const id = String((await create({ code })).json["id"]);
    const endpoint = await hub.call("POST", "/api/v1/webhooks/endpoints", {
      key: tenant.apiKey,
      body: {
        handlerType: "CUSTOM",
        signatureScheme: "github",
        transformTemplate: { template: code, version: 1 },
      },
    });
    const subscription = await hub.call("POST", "/api/v1/webhooks/subscriptions", {
      key: tenant.apiKey,
      body: {
        name: "By id",
        url: "https://receiver.example.com/x",
        eventTypes: ["order.*"],
        transformTemplate: { template: id, version: "latest" },
      },
    });
    const caller = await create({ mappingRules: { rules: [{ target: "", from: { mapping: code } }] } });
    const refused = await call("DELETE", `/${id}`);
    expect([refused.status, refused.json["code"]]).toEqual([409, "in_use"]);
    expect(
      errorsOf(refused)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(
      [
        `endpoint/${String(endpoint.json["id"])}`,
        `subscription/${String(subscription.json["id"])}`,
        `transformation/${String(caller.json["id"])}`,
      ].sort(),
    );
    expect((await call("GET", `/${id}/users`)).json["data"]).toMatchObject([
      { kind: "endpoint", version: 1 },
      { kind: "subscription", name: "By id", version: null },
      { kind: "transformation", version: null },
    ]);
    await hub.call("DELETE", `/api/v1/webhooks/endpoints/${String(endpoint.json["id"])}`, {
      key: tenant.apiKey,
    });
    await hub.call("DELETE", `/api/v1/webhooks/subscriptions/${String(subscription.json["id"])}`, {
      key: tenant.apiKey,
    });
    await call("DELETE", `/${String(caller.json["id"])}`);
    expect((await call("DELETE", `/${id}`)).status).toBe(204);
    expect((await call("GET", `/${id}`)).status).toBe(404);
    expect(await auditOf(id)).toContain("transformation.delete");
  });

  test("frees the code", async () => {
    const code = newCode();
    const id = String((await create({ code })).json["id"]);
    await call("DELETE", `/${id}`);
    expect((await create({ code })).status).toBe(201);
  });
});

describe("system templates", () => {
  test("are seen by every tenant, changed by none, and cloned with their tests", async () => {
    const id = crypto.randomUUID();
    const code = newCode();
    await hub.runtime.sqlSystem.begin(async (tx) => {
      await tx`
        insert into transformation_templates (id, tenant_id, code, name, source_format, target_format, mapping_rules, is_system)
        values (${id}, null, ${code}, 'System', 'JSON', 'JSON', ${tx.json(RULES)}, true)`;
      await tx`
        insert into transformation_versions (tenant_id, template_id, version, source_format, target_format, mapping_rules)
        values (null, ${id}, 1, 'JSON', 'JSON', ${tx.json(RULES)})`;
      await tx`
        insert into transformation_tests (tenant_id, template_id, name, input, expected)
        values (null, ${id}, 'delivered', ${Buffer.from(JSON.stringify(INPUT))}, ${Buffer.from(JSON.stringify(OUTPUT))})`;
    });
    expect((await call("GET", `/${id}`)).json).toMatchObject({ tenantId: null, isSystem: true });
    for (const [method, path, body] of [
      ["PUT", `/${id}`, { name: "x" }],
      ["DELETE", `/${id}`, undefined],
      ["PUT", `/${id}/tests`, { tests: [] }],
      ["POST", `/${id}/rollback`, { version: 1 }],
    ] as const) {
      const refused = await call(method, path, body);
      expect([refused.status, refused.json["code"]]).toEqual([409, "conflict"]);
    }
    expect((await call("POST", `/${id}/tests/run`, {})).json).toMatchObject({ passed: true, version: 1 });
    const cloned = await call("POST", `/${id}/clone`, { code: newCode() });
    expect(cloned.status).toBe(201);
    expect(cloned.json).toMatchObject({
      tenantId: tenant.id,
      isSystem: false,
      version: 1,
      mappingRules: RULES,
    });
    const tests = await call("GET", `/${String(cloned.json["id"])}/tests`);
    expect(tests.json["data"]).toMatchObject([{ name: "delivered", lastPassed: true }]);
    const changed = await call("PUT", `/${String(cloned.json["id"])}`, {
      mappingRules: { rules: [...RULES.rules, { target: "extra", from: { value: 1 } }] },
      tests: [],
    });
    expect(changed.json["version"]).toBe(2);
    expect((await call("GET", "?isSystem=true")).json["data"]).toContainEqual(
      expect.objectContaining({ id }),
    );
  });
});

describe("what names a template", () => {
  const endpoint = (transformTemplate: object, more: object = {}): Promise<Answer> =>
    hub.call("POST", "/api/v1/webhooks/endpoints", {
      key: tenant.apiKey,
      body: { handlerType: "CUSTOM", signatureScheme: "github", transformTemplate, ...more },
    });

  test("is refused where template or version is missing, or is another tenant's", async () => {
    const code = newCode();
    await create({ code });
    const other = await hub.newTenant();
    const foreign = await hub.call("POST", PATH, {
      key: other.apiKey,
      body: { ...GOOD, code: newCode(), name: "Theirs" },
    });
    const beyond = await endpoint({ template: code, version: 99_999_999_999 });
    expect(beyond.status).toBe(422);
    for (const [template, path] of [
      [{ template: "nothing" }, "/transformTemplate/template"],
      [{ template: code, version: 2 }, "/transformTemplate/version"],
      [{ template: String(foreign.json["id"]) }, "/transformTemplate/template"],
    ] as const) {
      const refused = await endpoint(template);
      expect(refused.status).toBe(422);
      expect(errorsOf(refused).map((error) => error.path)).toEqual([path]);
    }
  });

  test("is refused where formats do not fit or the template is off", async () => {
    const xml = newCode();
    await create({
      code: xml,
      targetFormat: "XML",
      mappingRules: { rules: [{ target: "load.id", from: "shipment.id" }] },
    });
    const refused = await endpoint({ template: xml }, { handlerType: "LOAD_STATUS" });
    expect(errorsOf(refused)[0]?.message).toContain("writes XML");
    const csv = newCode();
    await create({ code: csv, sourceFormat: "CSV" });
    const subscription = await hub.call("POST", "/api/v1/webhooks/subscriptions", {
      key: tenant.apiKey,
      body: {
        name: "x",
        url: "https://receiver.example.com/x",
        eventTypes: ["*"],
        transformTemplate: { template: csv },
      },
    });
    expect(errorsOf(subscription)[0]?.message).toContain("reads CSV");
    const off = newCode();
    await create({ code: off, isActive: false });
    expect(errorsOf(await endpoint({ template: off }))[0]?.message).toContain("transformation_inactive");
  });
});
