import type { Runtime } from "../../platform/runtime.ts";
import { announceIntegrationOf } from "../integrations/announce-integration.ts";
import { changeStatus } from "../integrations/change-status.ts";
import { lockIntegrationRow, saveIntegrationState } from "../integrations/store.ts";
import { postponeRefresh } from "../integrations/token-store.ts";
import { closeJournal, LOST_ANSWER } from "./journal-store.ts";
import type { TokenFault } from "./judge-token-answer.ts";
import { retryAtMs } from "./plan-refresh.ts";

/**
 * A refresh failed and the tokens stay: the next try is later, and the error stands with the integration. Where the
 * configuration is to blame, one whose token has ended leaves ACTIVE, because no call of it can succeed.
 *
 * @param input.failures failures in a row, this one included
 * @returns when it may be tried again
 */
export async function failRefresh(
  runtime: Runtime,
  input: {
    id: string;
    version: number;
    journalId: string;
    fault: TokenFault;
    failures: number;
    isTokenOver: boolean;
  },
): Promise<Date> {
  const { id, version, journalId, fault, failures, isTokenOver } = input;
  const nowMs = runtime.clock.nowMs();
  const retryAt = new Date(retryAtMs(failures, { nowMs, retryAfterMs: fault.retryAfterMs }));
  // What may have arrived is told apart: a rotating token must not be sent again for ever.
  const error = { code: fault.kind === "lost" ? LOST_ANSWER : fault.code, message: fault.message };
  const isChanged = await runtime.sqlSystem.begin(async (tx) => {
    const row = await lockIntegrationRow(tx, id);
    await closeJournal(tx, journalId, { state: "FAILED", ...error, retryAt });
    if (row === undefined || row.oauthVersion !== version) return false;
    await postponeRefresh(tx, row, retryAt);
    const now = new Date(nowMs);
    if (fault.kind !== "outage" && fault.kind !== "lost" && isTokenOver)
      return row.status !== (await changeStatus(tx, row, { cause: "connection_lost", now, error }));
    await saveIntegrationState(tx, row, {
      lastError: `${error.code}: ${error.message}`,
      lastErrorAt: now,
      errors: 1,
    });
    return false;
  });
  if (isChanged) await announceIntegrationOf(runtime, id);
  return retryAt;
}
