import type { Runtime } from "../../platform/runtime.ts";
import { announceIntegrationOf } from "../integrations/announce-integration.ts";
import { changeStatus } from "../integrations/change-status.ts";
import { lockIntegrationRow } from "../integrations/store.ts";
import { storeTokens } from "../integrations/token-store.ts";
import { closeJournal } from "./journal-store.ts";

/**
 * The tokens are void: they are forgotten, so that nobody sends them again, the integration waits for a person
 * (PENDING_AUTH), and `integration.disconnected` tells of it. Nothing happens when others were stored meanwhile.
 *
 * @param input.version of the tokens that are void
 * @param input.journalId row of the refresh that showed it
 */
export async function endConnection(
  runtime: Runtime,
  input: {
    id: string;
    version: number;
    journalId: string | undefined;
    error: { code: string; message: string };
  },
): Promise<void> {
  const { id, version, journalId, error } = input;
  const now = new Date(runtime.clock.nowMs());
  await runtime.sqlSystem.begin(async (tx) => {
    const row = await lockIntegrationRow(tx, id);
    if (journalId !== undefined) await closeJournal(tx, journalId, { state: "FAILED", ...error });
    if (row === undefined || row.oauthVersion !== version) return;
    const { tenantId } = row;
    await storeTokens(runtime, tx, { id, tenantId, version, values: null, expiresAt: null });
    await changeStatus(tx, row, { cause: "authorization_lost", now, error });
  });
  await announceIntegrationOf(runtime, id);
}
