import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { refreshOnce } from "./ensure-fresh-token.ts";
import { deleteOld, findDue } from "./journal-store.ts";
import { LEASE_MS } from "./refresh-tokens.ts";
import { tokenMetricsOf } from "./token-metrics.ts";

/** Integrations of one run; the next run takes those that are left. */
const PIECE = 500;
/** Requests to token endpoints at once, of one process. */
const CONCURRENCY = 16;
const JOURNAL_DAYS = 30;
const SESSION_DAYS = 1;
const DAY_MS = 86_400_000;

/**
 * Replaces tokens whose time has come, and ends refreshes that a process left open when it died.
 *
 * @param mayGoOn asked before each of them
 * @returns how many integrations have good tokens now
 */
export async function refreshDue(runtime: Runtime, mayGoOn: () => boolean): Promise<number> {
  const nowMs = runtime.clock.nowMs();
  const waiting = await findDue(runtime.sqlSystem, {
    now: new Date(nowMs),
    abandonedBefore: new Date(nowMs - LEASE_MS),
    limit: PIECE,
  });
  const oldestMs = waiting[0]?.dueAt.getTime() ?? nowMs;
  tokenMetricsOf(runtime).noteOverdue(Math.max(0, nowMs - oldestMs) / 1_000);
  let done = 0;
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && mayGoOn(); next = waiting.shift()) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- few at once, by intent
        const outcome = await refreshOnce(runtime, next.id, { kind: "due" }, newId(nowMs));
        if (outcome.kind === "fresh") done++;
        else if (outcome.kind === "failed")
          runtime.log.warn(
            { integrationId: next.id, code: outcome.code, detail: outcome.message },
            "token not refreshed",
          );
      } catch (error) {
        runtime.log.error({ err: error, integrationId: next.id }, "token not refreshed");
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return done;
}

/** Deletes what nobody asks for any more: journal rows after 30 days, log-ins a day after they ended. */
export function deleteOldLogIns(runtime: Runtime): Promise<number> {
  const nowMs = runtime.clock.nowMs();
  return deleteOld(runtime.sqlSystem, {
    journalBefore: new Date(nowMs - JOURNAL_DAYS * DAY_MS),
    sessionsBefore: new Date(nowMs - SESSION_DAYS * DAY_MS),
  });
}
