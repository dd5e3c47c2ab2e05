import type { Runtime } from "../../platform/runtime.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";

/** A call that failed finally. */
export interface FinalError {
  tenantId: string;
  integrationId: string;
  code: string;
  kind: string;
  /** Redacted. */
  message: string;
  atMs: number;
}

interface Count extends FinalError {
  count: number;
}

const FLUSH_EVERY_MS = 1_000;
/** At most one event in this time for an integration and code (DESIGN.md section 8). */
const QUIET_SECONDS = 60;
const COUNTS_MAX = 10_000;
const MESSAGE_MAX = 500;

/** Counts final errors of one process and tells of them, together with those of the others. */
class ErrorNotices {
  readonly #runtime: Runtime;
  #counts = new Map<string, Count>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  note(error: FinalError): void {
    const key = `${error.integrationId} ${error.code}`;
    const known = this.#counts.get(key);
    if (known === undefined && this.#counts.size >= COUNTS_MAX) return;
    const message = error.message.slice(0, MESSAGE_MAX);
    this.#counts.set(key, { ...error, message, count: (known?.count ?? 0) + 1 });
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_EVERY_MS);
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // In one order, so that two processes do not wait for each other's rows.
    const counts = [...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
    if (counts.length === 0) return;
    this.#counts = new Map();
    const { sqlSystem, log, clock } = this.#runtime;
    try {
      for (const { tenantId, integrationId, code, kind, message, count, atMs } of counts) {
        // oxlint-disable-next-line no-await-in-loop -- a handful; each row is short
        await sqlSystem`
          insert into gateway_errors as e (tenant_id, integration_id, code, kind, message, untold, last_at)
          values (${tenantId}, ${integrationId}, ${code}, ${kind}, ${message.replaceAll("\0", "")}, ${count},
            ${new Date(atMs)})
          on conflict (integration_id, code) do update set
            untold = e.untold + excluded.untold, last_at = greatest(e.last_at, excluded.last_at),
            kind = excluded.kind, message = excluded.message`;
      }
      await tellErrors(this.#runtime, clock.nowMs());
    } catch (error) {
      log.warn({ err: error }, "errors of calls were not told");
    }
  }
}

/**
 * Publishes `integration.error` for what has not been told of for a minute, with the number of errors since.
 *
 * @returns how many were told of
 */
export async function tellErrors(runtime: Runtime, nowMs: number): Promise<number> {
  const now = new Date(nowMs);
  return runtime.sqlSystem.begin(async (tx) => {
    const due = await tx<
      {
        tenantId: string;
        integrationId: string;
        code: string;
        kind: string;
        message: string;
        count: number;
        lastAt: Date;
        providerCode: string;
        environment: string;
        name: string;
      }[]
    >`
      with due as (
        select e.integration_id, e.code, e.untold from gateway_errors e
        where e.untold > 0 and (e.told_at is null or e.told_at <= ${now}::timestamptz - ${QUIET_SECONDS} * interval '1 second')
        order by e.integration_id, e.code limit 500 for update skip locked
      ), told as (
        update gateway_errors e set untold = 0, told_at = ${now} from due
        where e.integration_id = due.integration_id and e.code = due.code
        returning e.tenant_id, e.integration_id, e.code, e.kind, e.message, e.last_at, due.untold
      )
      select t.tenant_id as "tenantId", t.integration_id as "integrationId", t.code, t.kind, t.message,
        t.untold::float8 as count, t.last_at as "lastAt", p.code as "providerCode", i.environment, i.name
      from told t join integrations i on i.id = t.integration_id join integration_providers p on p.id = i.provider_id`;
    await publishHubEvents(
      tx,
      due.map(({ tenantId, lastAt, ...data }) => ({
        tenantId,
        type: "integration.error",
        orderingKey: data.integrationId,
        occurredAt: lastAt,
        data: { ...data, lastAt: lastAt.toISOString() },
      })),
    );
    return due.length;
  });
}

const known = new WeakMap<Runtime, ErrorNotices>();

/** Counts a call that failed finally; never waits and never throws. */
export function noteError(runtime: Runtime, error: FinalError): void {
  let notices = known.get(runtime);
  if (notices === undefined) {
    const made = new ErrorNotices(runtime);
    known.set(runtime, (notices = made));
    runtime.shutdown.add("gateway errors", () => made.flush());
  }
  notices.note(error);
}
