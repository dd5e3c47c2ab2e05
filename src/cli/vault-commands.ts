import { systemContext } from "../domain/context.ts";
import { findTenant } from "../domain/tenancy/store.ts";
import { runVaultJobs } from "../domain/vault/run-vault-jobs.ts";
import { shredTenant } from "../domain/vault/shred-tenant.ts";
import { startReencrypt } from "../domain/vault/start-reencrypt.ts";
import { startRewrap } from "../domain/vault/start-rewrap.ts";
import { listTenantsWithKeys, listVaultJobRows } from "../domain/vault/store.ts";
import type { Runtime } from "../platform/runtime.ts";
import { newId } from "../platform/uuid.ts";
import { ACTOR_ID, type Command, needed } from "./command.ts";
import { UsageError } from "./usage-error.ts";

const JOBS_SHOWN = 100;

/** Key rotation and destruction, while the hub runs. */
export const VAULT_COMMANDS: Readonly<Record<string, Command>> = {
  "vault rewrap": {
    usage: "vault rewrap",
    about:
      "wrap all data keys with the first key of INTEGRATION_ENCRYPTION_KEY; the others may leave the list then",
    options: [],
    run: async (runtime) => {
      await startRewrap(runtime);
      return workAndShow(runtime);
    },
  },
  "vault reencrypt": {
    usage: "vault reencrypt [--tenant <slug>]",
    about:
      "give one tenant, or each, a new data key and seal all secrets anew; the old key is destroyed minutes later",
    options: ["tenant"],
    run: async (runtime, { tenant }) => {
      const ids =
        tenant === undefined
          ? await listTenantsWithKeys(runtime.sqlSystem)
          : [await tenantIdOf(runtime, tenant)];
      // oxlint-disable-next-line no-await-in-loop -- one connection
      for (const id of ids) await startReencrypt(systemContext(runtime, id, ACTOR_ID, newId()));
      return workAndShow(runtime);
    },
  },
  "vault jobs": {
    usage: "vault jobs",
    about: "show the rewrap and reencrypt jobs, newest first; workers go on with open ones by themselves",
    options: [],
    run: showJobs,
  },
  "vault shred-tenant": {
    usage: "vault shred-tenant --tenant <slug> --confirm <slug>",
    about:
      "destroy a tenant's data keys for ever, suspend it and delete its configuration; there is no way back",
    options: ["tenant", "confirm"],
    run: async (runtime, { tenant, confirm }) => {
      const slug = needed("tenant", tenant);
      if (needed("confirm", confirm) !== slug)
        throw new UsageError("--confirm must repeat the tenant's slug");
      const id = await tenantIdOf(runtime, slug);
      return shredTenant(systemContext(runtime, id, ACTOR_ID, newId()));
    },
  },
};

/** Does what can be done now; what is due later is left to the workers. */
async function workAndShow(runtime: Runtime): Promise<unknown> {
  await runVaultJobs(runtime, () => true);
  return showJobs(runtime);
}

async function showJobs(runtime: Runtime): Promise<unknown> {
  return { data: await listVaultJobRows(runtime.sqlSystem, JOBS_SHOWN) };
}

async function tenantIdOf(runtime: Runtime, slug: string): Promise<string> {
  const tenant = await findTenant(runtime.sqlSystem, { slug });
  if (tenant === undefined) throw new UsageError(`no tenant "${slug}"`);
  return tenant.id;
}
