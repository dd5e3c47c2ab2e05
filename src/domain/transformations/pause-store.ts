import type { Sql } from "../../platform/postgres/client.ts";
import type { Transaction } from "../context.ts";
import type { PauseState } from "./store.ts";

/** Which version rests, and for whom. */
export interface PausePlace {
  tenantId: string;
  templateId: string;
  version: number;
}

/** A pause as it begins or goes on. */
export interface NewPause {
  code: string;
  message: string;
  failures: number;
  pausedAt: Date;
}

/**
 * Begins a pause, or makes the one that has ended the next, longer one. Of several processes that ask at once the first
 * one counts.
 *
 * @param pauseSeconds length by the number of pauses in a row, the last one repeats
 * @returns the pause when this call made it; undefined while one lasts
 */
export async function savePause(
  tx: Transaction,
  place: PausePlace,
  pause: NewPause,
  pauseSeconds: readonly number[],
): Promise<PauseState | undefined> {
  const seconds = tx`(${[...pauseSeconds]}::integer[])`;
  const [row] = await tx<PauseState[]>`
    insert into transformation_pauses as p (tenant_id, template_id, version, code, message, failures, pauses, paused_at,
      paused_until)
    values (${place.tenantId}, ${place.templateId}, ${place.version}, ${pause.code}, ${pause.message}, ${pause.failures},
      1, ${pause.pausedAt}, ${pause.pausedAt}::timestamptz + make_interval(secs => ${seconds}[1]))
    on conflict (tenant_id, template_id, version) do update set
      code = excluded.code, message = excluded.message, failures = p.failures + excluded.failures,
      pauses = p.pauses + 1, paused_until = excluded.paused_at
        + make_interval(secs => ${seconds}[least(p.pauses + 1, ${pauseSeconds.length})])
    where p.paused_until <= excluded.paused_at
    returning code, message, failures, pauses, paused_at::text as "pausedAt", paused_until::text as "pausedUntil"`;
  return row;
}

/** Ends a pause. @returns false when there is none */
export async function deletePause(tx: Transaction, place: PausePlace): Promise<boolean> {
  const rows = await tx`
    delete from transformation_pauses
    where tenant_id = ${place.tenantId} and template_id = ${place.templateId} and version = ${place.version}
    returning version`;
  return rows.length === 1;
}

/** Pauses of a template for one tenant, by version. */
export async function listPauses(
  sql: Sql | Transaction,
  tenantId: string,
  templateIds: readonly string[],
): Promise<(PauseState & { templateId: string; version: number })[]> {
  return sql<(PauseState & { templateId: string; version: number })[]>`
    select template_id as "templateId", version, code, message, failures, pauses,
      to_jsonb(paused_at) #>> '{}' as "pausedAt", to_jsonb(paused_until) #>> '{}' as "pausedUntil"
    from transformation_pauses
    where tenant_id = ${tenantId} and template_id = any(${[...templateIds]}::text[]::uuid[])
    order by template_id, version`;
}
