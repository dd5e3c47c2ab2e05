import { afterAll, beforeAll, expect, test } from "bun:test";
import { schemeNames } from "../../src/domain/inbound/schemes/registry.ts";
import { startTestApp, type TestApp } from "./app-fixture.ts";

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp();
});
afterAll(() => hub.stop());

test("GET /webhooks/schemes lists every scheme that an endpoint can name, in one page", async () => {
  const { apiKey: key } = await hub.newTenant();
  const answer = await hub.call("GET", "/api/v1/webhooks/schemes", { key });
  expect(answer.status).toBe(200);
  const { data, nextCursor } = answer.json as unknown as { data: { name: string }[]; nextCursor: null };
  expect(nextCursor).toBe(null);
  expect(data.map(({ name }) => name)).toEqual([...schemeNames]);
  expect(data.find(({ name }) => name === "gitlab")).toMatchObject({
    title: "GitLab",
    proof: "token",
    tokenPlace: { header: "x-gitlab-token" },
    settings: { type: "object", properties: { proof: { default: "secret-token" } } },
    eventId: { header: "webhook-id", orHeader: "idempotency-key" },
  });
  const again = await hub.call("GET", "/api/v1/webhooks/schemes", { key });
  expect(again.text).toBe(answer.text);
});
