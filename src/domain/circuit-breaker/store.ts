import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { CircuitSnapshot } from "./circuit-snapshot.ts";

/** Thresholds of a row; null where the environment's count. */
export interface ThresholdsRow {
  failureThreshold: number | null;
  successThreshold: number | null;
  timeoutSeconds: number | null;
}

/** An integration with its circuit's thresholds. */
export interface CircuitRow extends ThresholdsRow {
  integrationId: string;
  tenantId: string;
  providerId: string;
  environment: string;
}

const thresholds = (sql: Sql | Transaction) => sql`
  c.failure_threshold as "failureThreshold", c.success_threshold as "successThreshold",
  c.timeout_seconds as "timeoutSeconds"`;

/** The tenant's integration with this id and its thresholds. */
export async function getCircuitRow(
  tx: Transaction,
  tenantId: string,
  integrationId: string,
): Promise<CircuitRow | undefined> {
  const [row] = await tx<CircuitRow[]>`
    select i.id as "integrationId", i.tenant_id as "tenantId", i.provider_id as "providerId", i.environment,
      ${thresholds(tx)}
    from integrations i left join circuit_breaker_state c on c.integration_id = i.id
    where i.tenant_id = ${tenantId} and i.id = ${integrationId} and i.deleted_at is null`;
  return row;
}

/** Thresholds of an integration, for the hub's own processes; undefined when nothing was ever set or recorded. */
export async function findThresholds(sql: Sql, integrationId: string): Promise<ThresholdsRow | undefined> {
  const [row] = await sql<ThresholdsRow[]>`
    select ${thresholds(sql)} from circuit_breaker_state c where c.integration_id = ${integrationId}`;
  return row;
}

/** Sets all three thresholds of an integration. */
export async function saveThresholds(
  tx: Transaction,
  tenantId: string,
  integrationId: string,
  given: ThresholdsRow,
): Promise<void> {
  await tx`
    insert into circuit_breaker_state (tenant_id, integration_id, failure_threshold, success_threshold, timeout_seconds)
    values (${tenantId}, ${integrationId}, ${given.failureThreshold}, ${given.successThreshold}, ${given.timeoutSeconds})
    on conflict (integration_id) do update set
      failure_threshold = excluded.failure_threshold, success_threshold = excluded.success_threshold,
      timeout_seconds = excluded.timeout_seconds, updated_at = now()`;
}

/** The state on record, locked until the transaction ends; made as CLOSED when there is none, undefined without integration. */
export async function lockCircuitState(
  tx: Transaction,
  integrationId: string,
): Promise<{ state: CircuitSnapshot["state"]; changedAtMs: number } | undefined> {
  await tx`
    insert into circuit_breaker_state (tenant_id, integration_id, failure_threshold, success_threshold, timeout_seconds)
    select tenant_id, id, null, null, null from integrations where id = ${integrationId}
    on conflict (integration_id) do nothing`;
  const [row] = await tx<{ state: CircuitSnapshot["state"]; changedAtMs: number }[]>`
    select state, coalesce(extract(epoch from changed_at) * 1000, 0)::float8 as "changedAtMs"
    from circuit_breaker_state where integration_id = ${integrationId} for update`;
  return row;
}

/** Puts a state on record. */
export async function saveCircuitState(tx: Transaction, circuit: CircuitSnapshot): Promise<void> {
  const time = (ms: number | undefined): Date | null => (ms === undefined ? null : new Date(ms));
  await tx`
    update circuit_breaker_state set
      state = ${circuit.state}, failure_count = ${circuit.failureCount}, success_count = ${circuit.successCount},
      last_failure_at = ${time(circuit.lastFailureAtMs)}, last_success_at = ${time(circuit.lastSuccessAtMs)},
      opened_at = ${time(circuit.openedAtMs)}, half_open_at = ${time(circuit.halfOpenAtMs)},
      changed_at = ${time(circuit.changedAtMs)}, updated_at = now()
    where integration_id = ${circuit.integrationId}`;
}
