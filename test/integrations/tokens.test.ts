import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { VaultError } from "../../src/domain/vault/data-key.ts";
import { createIntegration } from "../../src/domain/integrations/create-integration.ts";
import { loadIntegration, openCredentials } from "../../src/domain/integrations/load-integration.ts";
import { openTokens, readTokens, storeTokens } from "../../src/domain/integrations/token-store.ts";
import { announceTokens } from "../../src/domain/integrations/announce-integration.ts";
import { updateIntegration } from "../../src/domain/integrations/update-integration.ts";
import { withTenant } from "../../src/domain/context.ts";
import { startTestApp, type TestApp, type TestTenant } from "../edge/app-fixture.ts";
import { GOOD_KEY, insertProvider, keyManifest } from "./test-provider.ts";

let hub: TestApp;
beforeAll(async () => {
  hub = await startTestApp();
});
afterAll(() => hub.stop());

async function make(): Promise<{ tenant: TestTenant; id: string }> {
  const tenant = await hub.newTenant();
  await insertProvider(
    hub.runtime.sqlSystem,
    tenant.id,
    keyManifest("https://api.example.com", {
      servers: [
        { environment: "PRODUCTION", baseUrl: "https://api.example.com", allowedHosts: ["api.example.com"] },
      ],
    }),
  );
  const { id } = await createIntegration(tenant.ctx, {
    providerCode: "ACME",
    name: "Acme",
    config: { apiKey: GOOD_KEY, signingKey: "another secret of some length" },
  });
  return { tenant, id };
}

const store = (owner: { tenant: TestTenant; id: string }, version: number, token: string) =>
  withTenant(owner.tenant.ctx, (tx) =>
    storeTokens(hub.runtime, tx, {
      id: owner.id,
      tenantId: owner.tenant.id,
      version,
      values: { accessToken: token, refreshToken: `refresh of ${token}` },
      expiresAt: new Date(Date.now() + 60_000),
      derived: { realm: "r-1" },
    }),
  );

describe("storeTokens()", () => {
  test("storeTokens() lets one of two refreshes through that read the same version", async () => {
    const owner = await make();
    const results = await Promise.all([store(owner, 0, "first"), store(owner, 0, "second")]);
    expect(results.filter((version) => version !== undefined)).toEqual([1]);
    const winner = results[0] === undefined ? "second" : "first";
    const tokens = await readTokens(hub.runtime, hub.runtime.sqlSystem, {
      id: owner.id,
      tenantId: owner.tenant.id,
    });
    expect(tokens).toMatchObject({
      version: 1,
      values: { accessToken: winner, refreshToken: `refresh of ${winner}` },
    });
    expect(await store(owner, 1, "third")).toBe(2);
  });

  test("openCredentials() has new tokens once they are announced, and a changed secret", async () => {
    const owner = await make();
    const read = async () =>
      openCredentials(owner.tenant.ctx, await loadIntegration(owner.tenant.ctx, owner.id));
    expect(await read()).toEqual({ apiKey: GOOD_KEY, signingKey: "another secret of some length" });
    await store(owner, 0, "fresh");
    await announceTokens(hub.runtime, owner.id);
    await until(async () => (await read())["accessToken"] === "fresh");
    await updateIntegration(owner.tenant.ctx, {
      id: owner.id,
      changes: { config: { apiKey: `${GOOD_KEY}-new` } },
    });
    await until(async () => (await read())["apiKey"] === `${GOOD_KEY}-new`);
  });

  test("a sealed value that was moved to another row, name or column does not open", async () => {
    const [mine, other] = [await make(), await make()];
    await store(mine, 0, "mine");
    await store(other, 0, "theirs");
    const sql = hub.runtime.sqlSystem;
    const row = async (id: string) => {
      const [found] = await sql<
        { config: Record<string, { sealed?: string }>; oauthTokens: Record<string, string> }[]
      >`
        select config, oauth_tokens as "oauthTokens" from integrations where id = ${id}`;
      return found!;
    };
    const stolen = await row(mine.id);
    const open = (where: { tenant: TestTenant; id: string }, oauthTokens: Record<string, string>) =>
      openTokens(hub.runtime, sql, {
        id: where.id,
        tenantId: where.tenant.id,
        oauthTokens,
        oauthExpiresAt: null,
        oauthVersion: 1,
      });
    const access = stolen.oauthTokens["accessToken"]!;
    expect((await open(mine, { accessToken: access })).values).toEqual({ accessToken: "mine" });
    await expect(open(other, { accessToken: access })).rejects.toBeInstanceOf(VaultError);
    await expect(open(mine, { refreshToken: access })).rejects.toBeInstanceOf(VaultError);
    await expect(open(mine, { accessToken: stolen.config["signingKey"]!.sealed! })).rejects.toBeInstanceOf(
      VaultError,
    );
  });
});

/** Changes arrive by pub/sub. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 50_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error("Waited too long for the change");
    // oxlint-disable-next-line no-await-in-loop -- asked again and again
    await Bun.sleep(20);
  }
}
