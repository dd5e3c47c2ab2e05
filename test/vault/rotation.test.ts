import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { systemContext } from "../../src/domain/context.ts";
import { followDataKeys } from "../../src/domain/vault/follow-data-keys.ts";
import { VaultError } from "../../src/domain/vault/data-key.ts";
import { openSecret } from "../../src/domain/vault/open-secret.ts";
import { runVaultJobs } from "../../src/domain/vault/run-vault-jobs.ts";
import { sealSecret, sealWithKey } from "../../src/domain/vault/seal-secret.ts";
import { SEALED_COLUMNS } from "../../src/domain/vault/sealed-columns.ts";
import type { SecretPlace } from "../../src/domain/vault/sealed-format.ts";
import { shredTenant } from "../../src/domain/vault/shred-tenant.ts";
import { startReencrypt } from "../../src/domain/vault/start-reencrypt.ts";
import { startRewrap } from "../../src/domain/vault/start-rewrap.ts";
import type { Runtime } from "../../src/platform/runtime.ts";
import { newId } from "../../src/platform/uuid.ts";
import { insertTenant } from "../schema/statements.ts";
import { startTestPostgres, startTestRedis, type TestPostgres, type TestRedis } from "../support/services.ts";
import { fillSealedColumns, readSecret, secretsOf } from "./sealed-rows.ts";
import { KEY_1, KEY_2, newProcess, vaultEnvironment } from "./vault-runtime.ts";

const FIVE_MINUTES_MS = 5 * 60_000;

let postgres: TestPostgres;
let redis: TestRedis;
const processes: Runtime[] = [];

function open(options: Parameters<typeof newProcess>[2] = {}): Runtime {
  const runtime = newProcess(postgres, redis, options);
  processes.push(runtime);
  return runtime;
}

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startTestPostgres(), startTestRedis()]);
});

afterAll(async () => {
  await Promise.all(processes.map((runtime) => runtime.shutdown.run()));
  await Promise.all([postgres.stop(), redis.stop()]);
});

const forTenant = (runtime: Runtime, tenantId: string) => systemContext(runtime, tenantId, "test", newId());
const phaseOf = async (runtime: Runtime, tenantId: string | null): Promise<string | undefined> => {
  const [row] = await runtime.sqlSystem<{ phase: string }[]>`
    select phase from vault_jobs where tenant_id is not distinct from ${tenantId} order by id desc limit 1`;
  return row?.phase;
};
const keysOf = (runtime: Runtime, tenantId: string) =>
  runtime.sqlSystem<{ id: string; kekId: string; status: string }[]>`
    select id, kek_id as "kekId", status from tenant_keys where tenant_id = ${tenantId} order by id`;
const place = (tenantId: string): SecretPlace => ({
  tenantId,
  table: "webhook_endpoints",
  rowId: newId(),
  column: "secret_key",
});

describe("SEALED_COLUMNS", () => {
  test("SEALED_COLUMNS names every column of the schema that can hold a secret", async () => {
    const runtime = open();
    const rows = await runtime.sqlSystem<{ name: string }[]>`
      select c.table_name || '.' || c.column_name as name
      from information_schema.columns c join pg_class r on r.relname = c.table_name
      where c.table_schema = 'public' and not r.relispartition
        and (c.column_name ~ 'seal|secret|encrypted|token|credential|password|verifier|private|api_key|auth_config|wrapped'
          or (c.table_name = 'integrations' and c.column_name = 'config'))`;
    const known = SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`);
    // Not the vault's blobs, each with its reason.
    const others = [
      "api_keys.secret_hash", // a hash
      "integration_providers.oauth_config", // addresses and scopes of a manifest
      "tenant_keys.wrapped_key", // wrapped by the key ring, not by a data key
      "webhook_endpoints.secret_last4", // shown
      "webhook_subscriptions.secret_last4", // shown
    ];
    expect(
      rows
        .map(({ name }) => name)
        .filter((name) => !others.includes(name))
        .sort(),
    ).toEqual(known.toSorted());
  });

  test("a table with secrets has the tenant and an id", async () => {
    const runtime = open();
    for (const { table, column } of SEALED_COLUMNS)
      expect(
        await runtime.sqlSystem`select id, tenant_id, ${runtime.sqlSystem(column)} from ${runtime.sqlSystem(table)} limit 0`,
      ).toHaveLength(0);
  });
});

describe("startRewrap()", () => {
  test("startRewrap() lets the old key leave the list, and no secret changes", async () => {
    const before = open();
    const tenants = [await insertTenant(before.sqlSystem), await insertTenant(before.sqlSystem)];
    const secrets = await Promise.all(
      tenants.map(async (tenantId) => {
        const where = place(tenantId);
        return { where, blob: await sealSecret(before, before.sqlSystem, where, `secret of ${tenantId}`) };
      }),
    );
    const both = open({ keys: `${KEY_2},${KEY_1}` });
    expect(await startRewrap(both)).toBe(true);
    expect(await startRewrap(both)).toBe(false);
    // A worker whose list begins with the old key leaves the job alone.
    await runVaultJobs(before, () => true);
    expect(await phaseOf(both, null)).toBe("SWEEP");
    await runVaultJobs(both, () => true);
    expect(await phaseOf(both, null)).toBe("DONE");
    const after = open({ keys: KEY_2 });
    for (const { where, blob } of secrets) {
      expect((await keysOf(after, where.tenantId)).map(({ kekId }) => kekId)).toEqual(["k2"]);
      expect(await openSecret(after, after.sqlSystem, where, blob)).toBe(`secret of ${where.tenantId}`);
      // Processes that were there all the time go on.
      expect(await openSecret(before, before.sqlSystem, where, blob)).toBe(`secret of ${where.tenantId}`);
    }
    expect(await startRewrap(both)).toBe(true);
    await runVaultJobs(both, () => true);
  });
});

describe("startReencrypt()", () => {
  test("startReencrypt() seals every column's secrets anew and destroys the old key once nobody seals with it", async () => {
    let nowMs = Date.now();
    const runtime = open({ nowMs: () => nowMs });
    const [tenantId, other] = [await insertTenant(runtime.sqlSystem), await insertTenant(runtime.sqlSystem)];
    await fillSealedColumns(runtime, tenantId);
    await fillSealedColumns(runtime, other);
    const [old] = await keysOf(runtime, tenantId);
    const untouched = await secretsOf(runtime, other);
    const before = await secretsOf(runtime, tenantId);
    expect(new Set(before.map(({ column }) => column)).size).toBe(SEALED_COLUMNS.length);

    expect(await startReencrypt(forTenant(runtime, tenantId))).toBe(true);
    expect(await startReencrypt(forTenant(runtime, tenantId))).toBe(false);
    await runVaultJobs(runtime, () => true);
    expect(await phaseOf(runtime, tenantId)).toBe("FINAL");
    expect(await keysOf(runtime, tenantId)).toHaveLength(2);

    // A process that did not hear of it sealed this with the old key.
    const late = open();
    const lateRow = newId();
    const lateBlob = await sealAs(late, runtime, tenantId, old!.id, lateRow);
    nowMs += FIVE_MINUTES_MS + 60_000;
    await runVaultJobs(runtime, () => true);
    expect(await phaseOf(runtime, tenantId)).toBe("DONE");
    const keys = await keysOf(runtime, tenantId);
    expect(keys.map(({ status }) => status)).toEqual(["ACTIVE"]);
    expect(keys[0]!.id).not.toBe(old!.id);

    const reader = open();
    for (const secret of await secretsOf(reader, tenantId)) {
      if (secret.place.rowId === lateRow) continue;
      const known = before.find(({ name }) => name === secret.name)!;
      expect(secret.sealed).not.toBe(known.sealed);
      expect(await readSecret(reader, secret)).toBe(secret.name);
    }
    const [lateNow] = await reader.sqlSystem<{ sealed: string }[]>`
      select secret_key as sealed from webhook_endpoints where id = ${lateRow}`;
    expect(lateNow!.sealed).not.toBe(lateBlob);
    expect(await secretsOf(reader, other)).toEqual(untouched);
    expect(await startReencrypt(forTenant(runtime, tenantId))).toBe(true);
  });

  test("runVaultJobs() goes on where another process was killed, and writes nothing twice", async () => {
    const runtime = open();
    const tenantId = await insertTenant(runtime.sqlSystem);
    await fillSealedColumns(runtime, tenantId, 130);
    await startReencrypt(forTenant(runtime, tenantId));
    let steps = 0;
    await runVaultJobs(runtime, () => steps++ < 2);
    const [half] = await runtime.sqlSystem<{ renewed: number }[]>`
      select renewed::float8 as renewed from vault_jobs where tenant_id = ${tenantId}`;
    expect(half!.renewed).toBeGreaterThan(0);
    // Several processes at once, one of which stops in the middle of it.
    let left = 3;
    await Promise.all([
      runVaultJobs(open(), () => left-- > 0),
      runVaultJobs(open(), () => true),
      runVaultJobs(open(), () => true),
    ]);
    await runVaultJobs(open(), () => true);
    expect(await phaseOf(runtime, tenantId)).toBe("FINAL");
    const secrets = await secretsOf(runtime, tenantId);
    const [done] = await runtime.sqlSystem<{ renewed: number; unreadable: number }[]>`
      select renewed::float8 as renewed, unreadable::float8 as unreadable from vault_jobs where tenant_id = ${tenantId}`;
    expect(done).toEqual({ renewed: secrets.length, unreadable: 0 });
  });

  test("runVaultJobs() in a process that is killed loses nothing, and another one goes on", async () => {
    const runtime = open();
    const tenantId = await insertTenant(runtime.sqlSystem);
    await fillSealedColumns(runtime, tenantId, 350);
    await startReencrypt(forTenant(runtime, tenantId));
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "rotation-process.ts")], {
      env: { ...process.env, ...vaultEnvironment(postgres, redis, KEY_1) },
      stdout: "ignore",
      stderr: "inherit",
    });
    const renewed = async (): Promise<number> => {
      const [row] = await runtime.sqlSystem<{ renewed: number }[]>`
        select renewed::float8 as renewed from vault_jobs where tenant_id = ${tenantId}`;
      return row!.renewed;
    };
    while ((await renewed()) === 0 && child.exitCode === null) await Bun.sleep(2);
    child.kill("SIGKILL");
    await child.exited;
    // The dead process's session may hold the row a moment longer.
    while ((await phaseOf(runtime, tenantId)) !== "FINAL") {
      await runVaultJobs(runtime, () => true);
      await Bun.sleep(20);
    }
    const secrets = await secretsOf(runtime, tenantId);
    expect(await renewed()).toBe(secrets.length);
    const [active] = (await keysOf(runtime, tenantId)).filter(({ status }) => status === "ACTIVE");
    expect(new Set(secrets.map(({ sealed }) => keyIdOf(sealed)))).toEqual(
      new Set([active!.id.replaceAll("-", "")]),
    );
  });

  test("a secret that cannot be opened keeps the old key", async () => {
    let nowMs = Date.now();
    const runtime = open({ nowMs: () => nowMs });
    const tenantId = await insertTenant(runtime.sqlSystem);
    await fillSealedColumns(runtime, tenantId);
    await runtime.sqlSystem`update webhook_endpoints set secret_key =
      (select secret_key from webhook_subscriptions where tenant_id = ${tenantId}) where tenant_id = ${tenantId}`;
    await startReencrypt(forTenant(runtime, tenantId));
    await runVaultJobs(runtime, () => true);
    nowMs += FIVE_MINUTES_MS + 60_000;
    await runVaultJobs(runtime, () => true);
    const [done] =
      await runtime.sqlSystem`select phase, unreadable::int from vault_jobs where tenant_id = ${tenantId}`;
    expect(done).toEqual({ phase: "DONE", unreadable: 1 });
    expect(await keysOf(runtime, tenantId)).toHaveLength(2);
  });

  test("secrets are read and written while it runs, and processes that hear of it seal with the new key at once", async () => {
    const [worker, edge] = [open(), open()];
    await followDataKeys(edge);
    const tenantId = await insertTenant(worker.sqlSystem);
    await fillSealedColumns(worker, tenantId, 120);
    const [first] = await secretsOf(edge, tenantId);
    const stop = new AbortController();
    const traffic = (async () => {
      const blobs: { where: SecretPlace; blob: string }[] = [];
      while (!stop.signal.aborted) {
        const where = place(tenantId);
        blobs.push({ where, blob: await sealSecret(edge, edge.sqlSystem, where, "traffic") });
        const [now] = await edge.sqlSystem<{ sealed: string }[]>`
          select ${edge.sqlSystem(first!.place.column)} as sealed from ${edge.sqlSystem(first!.place.table)}
          where id = ${first!.place.rowId}`;
        expect(await openSecret(edge, edge.sqlSystem, first!.place, now!.sealed)).toBe(first!.name);
      }
      return blobs;
    })();
    await startReencrypt(forTenant(worker, tenantId));
    await runVaultJobs(worker, () => true);
    const [active] = (await keysOf(worker, tenantId)).filter(({ status }) => status === "ACTIVE");
    const deadline = Date.now() + 50_000;
    for (;;) {
      const blob = await sealSecret(edge, edge.sqlSystem, place(tenantId), "new");
      if (keyIdOf(blob) === active!.id.replaceAll("-", "")) break;
      expect(Date.now()).toBeLessThan(deadline);
      await Bun.sleep(20);
    }
    stop.abort();
    for (const { where, blob } of await traffic)
      expect(await openSecret(edge, edge.sqlSystem, where, blob)).toBe("traffic");
  });
});

describe("shredTenant()", () => {
  test("shredTenant() makes every secret unreadable in every process, and leaves the neighbours alone", async () => {
    const [worker, edge] = [open(), open()];
    await followDataKeys(edge);
    const [tenantId, other] = [await insertTenant(worker.sqlSystem), await insertTenant(worker.sqlSystem)];
    await fillSealedColumns(worker, tenantId);
    await fillSealedColumns(worker, other);
    const secrets = await secretsOf(edge, tenantId);
    for (const secret of secrets) expect(await readSecret(edge, secret)).toBe(secret.name);

    expect(await shredTenant(forTenant(worker, tenantId))).toEqual({ destroyedKeys: 1 });
    expect(await keysOf(worker, tenantId)).toHaveLength(0);
    const deadline = Date.now() + 50_000;
    while ((await readSecret(edge, secrets[0]!).catch(() => "")) !== "") {
      expect(Date.now()).toBeLessThan(deadline);
      await Bun.sleep(20);
    }
    for (const secret of secrets) await expect(readSecret(open(), secret)).rejects.toBeInstanceOf(VaultError);
    for (const secret of await secretsOf(edge, other))
      expect(await readSecret(edge, secret)).toBe(secret.name);
    const [tenant] = await worker.sqlSystem`select status from tenants where id = ${tenantId}`;
    expect(tenant!["status"]).toBe("SUSPENDED");
    expect(
      await worker.sqlSystem`
        select id from webhook_endpoints where tenant_id = ${tenantId} and deleted_at is null union all
        select id from webhook_subscriptions where tenant_id = ${tenantId} and deleted_at is null union all
        select id from integrations where tenant_id = ${tenantId} and deleted_at is null`,
    ).toEqual([] as never);
    const audit = await worker.sqlSystem`select verb from audit_log where tenant_id = ${tenantId}`;
    expect(audit.map(({ verb }) => verb as string)).toEqual(["tenant.shred"]);
  });
});

function keyIdOf(blob: string): string {
  return Buffer.from(blob, "base64").toString("hex", 1, 17);
}

/** A row whose secret a process that missed the rotation sealed with the retired key. */
async function sealAs(
  late: Runtime,
  runtime: Runtime,
  tenantId: string,
  dataKeyId: string,
  rowId: string,
): Promise<string> {
  const where = { tenantId, table: "webhook_endpoints", rowId, column: "secret_key" };
  const blob = await sealWithKey(late, late.sqlSystem, where, dataKeyId, "late");
  await runtime.sqlSystem`
    insert into webhook_endpoints (id, tenant_id, endpoint_path, secret_key, handler_type)
    values (${rowId}, ${tenantId}, ${rowId}, ${blob}, 'CUSTOM')`;
  return blob;
}
