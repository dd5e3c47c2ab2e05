import type { Transaction } from "../context.ts";

/** Something that names a template. `version` null: it follows the newest. */
export interface TemplateUser {
  kind: "endpoint" | "subscription" | "transformation" | "edi_partner";
  id: string;
  name: string;
  version: number | null;
}

/** Users that an answer names; the rest is counted. */
const USERS_MAX = 100;

/**
 * Who uses a template of the tenant: endpoints, subscriptions, EDI partners, and other templates whose rules call it.
 *
 * @param template.code as the users may name it too
 */
export async function listTemplateUsers(
  tx: Transaction,
  tenantId: string,
  template: { id: string; code: string },
): Promise<TemplateUser[]> {
  const names = [template.id, template.code];
  return tx<TemplateUser[]>`
    select 'endpoint' as kind, id::text as id, endpoint_path as name, ${versionOf(tx, "transform_template")} as version
    from webhook_endpoints
    where tenant_id = ${tenantId} and deleted_at is null and transform_template ? 'template'
      and transform_template ->> 'template' = any(${names})
    union all
    select 'subscription', id::text, name, ${versionOf(tx, "transform_template")}
    from webhook_subscriptions
    where tenant_id = ${tenantId} and deleted_at is null and transform_template ? 'template'
      and transform_template ->> 'template' = any(${names})
    union all
    select distinct on (t.id) 'transformation', t.id::text, t.code, null::integer
    from transformation_versions v join transformation_templates t on t.id = v.template_id
    where v.tenant_id = ${tenantId} and t.deleted_at is null and t.id <> ${template.id}
      and v.sub_templates && ${names}
    union all
    select distinct on (p.id) 'edi_partner', p.id::text, p.name,
      case when jsonb_typeof(used.template -> 'version') = 'number' then (used.template ->> 'version')::integer end
    from x12_partners p, jsonb_each(case when jsonb_typeof(p.settings -> 'sets') = 'object' then p.settings -> 'sets'
      else '{}' end) as used(set_code, template)
    where p.tenant_id = ${tenantId} and p.deleted_at is null and used.template ->> 'template' = any(${names})
    order by kind, id limit ${USERS_MAX}`;
}

/** The number that a user pins; null where it follows the newest. */
function versionOf(tx: Transaction, column: string) {
  return tx.unsafe(
    `case when jsonb_typeof(${column} -> 'version') = 'number' then (${column} ->> 'version')::integer end`,
  );
}
