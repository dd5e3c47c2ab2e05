import type { Runtime } from "../platform/runtime.ts";
import { newId } from "../platform/uuid.ts";
import { SCOPES, systemContext } from "../domain/context.ts";
import { auditConservation } from "../domain/inbound/audit-conservation.ts";
import { createApiKey } from "../domain/tenancy/create-api-key.ts";
import { createTenant } from "../domain/tenancy/create-tenant.ts";
import { ROLE_NAMES } from "../domain/tenancy/roles.ts";
import type { CreateApiKeyInput } from "../domain/tenancy/schema.ts";
import { findTenant, listTenantRows } from "../domain/tenancy/store.ts";
import { ACTOR_ID, type Command, needed, type Options } from "./command.ts";
import { UsageError } from "./usage-error.ts";
import { VAULT_COMMANDS } from "./vault-commands.ts";

/** No tenant yet: the row-level setting of the nil UUID shows no rows. */
const NO_TENANT = "00000000-0000-0000-0000-000000000000";

/** Commands that work on a hub's database, by their words. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  "tenants create": {
    usage: "tenants create --slug <slug> [--name <name>]",
    about: "add a tenant; prints it with its first API key, which is shown this once",
    options: ["slug", "name"],
    run: (runtime, { slug, name }) =>
      createTenant(systemContext(runtime, NO_TENANT, ACTOR_ID, newId()), {
        slug: needed("slug", slug),
        ...(name === undefined ? {} : { name }),
      }),
  },
  "tenants list": {
    usage: "tenants list",
    about: "list all tenants",
    options: [],
    run: async (runtime) => ({ data: await listTenantRows(runtime.sqlSystem) }),
  },
  "keys create": {
    usage: "keys create --tenant <slug> --name <name> [--role <role>] [--scopes <scope,…>]",
    about: `add an API key; roles: ${ROLE_NAMES.join(", ")}; scopes: ${SCOPES.join(", ")}`,
    options: ["tenant", "name", "role", "scopes"],
    run: createKey,
  },
  conservation: {
    usage: "conservation",
    about: "count what was accepted against what became of it, in all and for each tenant",
    options: [],
    run: (runtime) => auditConservation(runtime),
  },
  ...VAULT_COMMANDS,
};

async function createKey(runtime: Runtime, options: Options): Promise<unknown> {
  const slug = needed("tenant", options["tenant"]);
  const { role, scopes } = options;
  if (role !== undefined && !ROLE_NAMES.some((known) => known === role))
    throw new UsageError(`no role "${role}"`);
  const names = (scopes ?? "").split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !SCOPES.some((known) => known === name));
  if (unknown !== undefined) throw new UsageError(`no scope "${unknown}"`);
  const tenant = await findTenant(runtime.sqlSystem, { slug });
  if (tenant === undefined) throw new UsageError(`no tenant "${slug}"`);
  return createApiKey(systemContext(runtime, tenant.id, ACTOR_ID, newId()), {
    name: needed("name", options["name"]),
    ...(role === undefined ? {} : { role: role as NonNullable<CreateApiKeyInput["role"]> }),
    scopes: names as NonNullable<CreateApiKeyInput["scopes"]>,
  });
}
