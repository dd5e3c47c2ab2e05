import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { Clock } from "../../src/platform/clock.ts";
import { type KeyRing, parseKeyRing } from "../../src/platform/crypto/keyring.ts";
import { VaultError, type VaultRuntime } from "../../src/domain/vault/data-key.ts";
import { openSecret } from "../../src/domain/vault/open-secret.ts";
import { sealSecret } from "../../src/domain/vault/seal-secret.ts";
import type { SecretPlace } from "../../src/domain/vault/sealed-format.ts";
import { newId } from "../../src/platform/uuid.ts";
import { connectRoles, type Roles } from "../schema/connect-roles.ts";
import { asTenant, insertTenant } from "../schema/statements.ts";

const SECRET = "whsec_ü\u0000 secret";
const KEY_1 = `k1:${randomBytes(32).toString("base64")}`;
const KEY_2 = `k2:${randomBytes(32).toString("base64")}`;

let roles: Roles;
let tenantId: string;
let place: SecretPlace;

/** A process of its own: nothing cached yet. */
function newProcess(
  keys = KEY_1,
  clock: Clock = { nowMs: () => Date.now() },
): VaultRuntime & { keyRing: KeyRing } {
  return { sqlSystem: roles.system, keyRing: parseKeyRing(keys), clock };
}

const sealed = (runtime: VaultRuntime, where = place, text = SECRET): Promise<string> =>
  sealSecret(runtime, roles.system, where, text);
const opened = (runtime: VaultRuntime, text: string, where = place): Promise<string> =>
  openSecret(runtime, roles.system, where, text);

const refusal = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    expect(error).toBeInstanceOf(VaultError);
    return (error as Error).message;
  }
  throw new Error("Cannot go on: the vault opened it");
};

beforeAll(async () => {
  roles = await connectRoles();
  tenantId = await insertTenant(roles.system);
  place = { tenantId, table: "webhook_endpoints", rowId: newId(), column: "secret_key" };
});

afterAll(() => roles.stop());

describe("sealSecret() and openSecret()", () => {
  test("openSecret() gives back the text, in the process that sealed and in another", async () => {
    const runtime = newProcess();
    for (const text of [SECRET, "", "x".repeat(100_000)]) {
      const blob = await sealed(runtime, place, text);
      expect(await opened(runtime, blob)).toBe(text);
      expect(await opened(newProcess(), blob)).toBe(text);
    }
  });

  test("openSecret() works in a tenant's transaction, also for the very first secret", async () => {
    const tenant = await insertTenant(roles.system);
    const where = { ...place, tenantId: tenant };
    const blob = await asTenant(roles.app, tenant, (tx) => sealSecret(newProcess(), tx, where, SECRET));
    expect(await asTenant(roles.app, tenant, (tx) => openSecret(newProcess(), tx, where, blob))).toBe(SECRET);
    expect(await opened(newProcess(), blob, where)).toBe(SECRET);
  });

  test("openSecret() in another tenant's transaction finds no key", async () => {
    const other = await insertTenant(roles.system);
    const blob = await sealed(newProcess());
    const work = asTenant(roles.app, other, (tx) => openSecret(newProcess(), tx, place, blob));
    expect(await refusal(work)).toContain("has no data key");
  });

  test("sealSecret() writes version 1, the data key's id, and never the same blob twice", async () => {
    const runtime = newProcess();
    const blob = Buffer.from(await sealed(runtime), "base64");
    const [key] = await roles.system<
      { id: string }[]
    >`select id from tenant_keys where tenant_id = ${tenantId}`;
    expect(blob[0]).toBe(1);
    expect(blob.subarray(1, 17).toString("hex")).toBe(key!.id.replaceAll("-", ""));
    expect(blob.length).toBe(1 + 16 + 12 + Buffer.byteLength(SECRET) + 16);
    expect(await sealed(runtime)).not.toBe(await sealed(runtime));
  });

  test("openSecret() refuses a blob that was moved", async () => {
    const runtime = newProcess();
    const blob = await sealed(runtime, { ...place, path: "/token" });
    const other = await insertTenant(roles.system);
    await sealed(runtime, { ...place, tenantId: other });
    const moves: SecretPlace[] = [
      { ...place, path: "/token", rowId: newId() },
      { ...place, path: "/token", column: "previous_secrets" },
      { ...place, path: "/token", table: "webhook_subscriptions" },
      { ...place, path: "/refreshToken" },
      place,
      { ...place, column: "secret_key/token" },
      { ...place, path: "/token", tenantId: other },
    ];
    for (const where of moves) await refusal(opened(runtime, blob, where));
    expect(await opened(runtime, blob, { ...place, path: "/token" })).toBe(SECRET);
  });

  test("openSecret() refuses a data key that was copied to another tenant", async () => {
    const [mine, theirs] = [await insertTenant(roles.system), await insertTenant(roles.system)];
    const blob = await sealed(newProcess(), { ...place, tenantId: mine });
    await roles.system`update tenant_keys set tenant_id = ${theirs} where tenant_id = ${mine}`;
    expect(await refusal(opened(newProcess(), blob, { ...place, tenantId: theirs }))).toContain(
      "Cannot unwrap",
    );
  });

  test("openSecret() refuses every changed byte, a shortened blob and another spelling of it", async () => {
    const runtime = newProcess();
    const blob = await sealed(runtime);
    const bytes = Buffer.from(blob, "base64");
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index]! ^= 0x40;
      await refusal(opened(runtime, changed.toString("base64")));
    }
    for (const text of ["", "plain text", blob.slice(0, -4), `${blob}AAAA`, ` ${blob}`, `${blob}\n`]) {
      await refusal(opened(runtime, text));
    }
  });

  test("sealSecret() refuses text that would not come out as it went in", async () => {
    await expect(sealed(newProcess(), place, "lone \ud800 surrogate")).rejects.toThrow("well-formed");
  });
});

describe("data keys", () => {
  test("eight processes that seal a tenant's first secret at once agree on one key", async () => {
    const tenant = await insertTenant(roles.system);
    const where = { ...place, tenantId: tenant };
    const blobs = await Promise.all(Array.from({ length: 8 }, () => sealed(newProcess(), where)));
    expect(await roles.system`select id from tenant_keys where tenant_id = ${tenant}`).toHaveLength(1);
    const reader = newProcess();
    for (const blob of blobs) expect(await opened(reader, blob, where)).toBe(SECRET);
  });

  test("a key outlives the transaction that needed it first and was rolled back", async () => {
    const tenant = await insertTenant(roles.system);
    const where = { ...place, tenantId: tenant };
    const runtime = newProcess();
    await expect(
      asTenant(roles.app, tenant, async (tx) => {
        await sealSecret(runtime, tx, where, SECRET);
        throw new Error("the verb failed");
      }),
    ).rejects.toThrow("the verb failed");
    expect(await opened(newProcess(), await sealed(runtime, where), where)).toBe(SECRET);
  });

  test("a tenant that does not exist gets no key", async () => {
    await expect(sealed(newProcess(), { ...place, tenantId: newId() })).rejects.toThrow();
  });

  test("a new first key of the ring opens what the old one wrapped, as long as that is kept", async () => {
    const tenant = await insertTenant(roles.system);
    const where = { ...place, tenantId: tenant };
    const blob = await sealed(newProcess(KEY_1), where);
    expect(await opened(newProcess(`${KEY_2},${KEY_1}`), blob, where)).toBe(SECRET);
    expect(await refusal(opened(newProcess(KEY_2), blob, where))).toContain('has no key "k1"');
    expect(await refusal(opened(newProcess(""), blob, where))).toContain('has no key "k1"');
    const sameId = KEY_2.replace("k2", "k1");
    expect(await refusal(opened(newProcess(sameId), blob, where))).toContain("Cannot unwrap");
  });

  test("an empty ring makes no key", async () => {
    const tenant = await insertTenant(roles.system);
    expect(await refusal(sealed(newProcess(""), { ...place, tenantId: tenant }))).toContain("is empty");
    expect(await roles.system`select id from tenant_keys where tenant_id = ${tenant}`).toHaveLength(0);
  });

  test("a retired key goes on opening, and stops sealing within five minutes", async () => {
    const tenant = await insertTenant(roles.system);
    const where = { ...place, tenantId: tenant };
    let nowMs = 1_000_000_000_000;
    const runtime = newProcess(KEY_1, { nowMs: () => nowMs });
    const old = await sealed(runtime, where);
    await roles.system`update tenant_keys set status = 'RETIRED' where tenant_id = ${tenant}`;
    const keyIdOf = (blob: string): string => Buffer.from(blob, "base64").toString("hex", 1, 17);
    expect(keyIdOf(await sealed(runtime, where))).toBe(keyIdOf(old));
    nowMs += 300_001;
    expect(keyIdOf(await sealed(runtime, where))).not.toBe(keyIdOf(old));
    expect(await opened(newProcess(), old, where)).toBe(SECRET);
  });

  test("no key and no secret stands in the table", async () => {
    const blob = await sealed(newProcess());
    const rows = await roles.system<{ row: string }[]>`select t::text as row from tenant_keys t`;
    const ringKey = KEY_1.slice(3);
    for (const text of [...rows.map((row) => row.row), blob]) {
      expect(text).not.toContain(ringKey);
      expect(Buffer.from(text, "base64").includes("whsec_")).toBe(false);
    }
  });
});
