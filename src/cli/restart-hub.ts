import { findHomeHolder } from "../platform/process/home-lock.ts";
import { readRestartRecord, type RestartRecord } from "../platform/process/restart-record.ts";

/** A supervisor takes this as the wish for a rolling restart. */
const RESTART_SIGNAL = "SIGUSR2";

const POLL_MS = 100;

/** Far above what replacing 64 processes takes. */
const TIMEOUT_MS = 15 * 60_000;

/**
 * Has the `start` of this HUB_HOME replace its edge and worker processes one after the other, and waits for the end.
 *
 * @returns what was replaced
 * @throws Error when no hub runs there, or a process did not come up again
 */
export async function restartHub(home: string): Promise<Omit<RestartRecord, "startedAtMs">> {
  const holder = await findHomeHolder(home);
  if (holder === undefined) throw new Error(`No hub runs on ${home}; name its folder by HUB_HOME`);
  const askedAtMs = Date.now();
  process.kill(holder.pid, RESTART_SIGNAL);
  while (Date.now() - askedAtMs < TIMEOUT_MS) {
    await Bun.sleep(POLL_MS);
    const record = await readRestartRecord(home);
    if (record !== undefined && record.startedAtMs >= askedAtMs) {
      const { tookMs, restarted, failure } = record;
      if (failure !== undefined) throw new Error(`After ${restarted.join(", ") || "none"}: ${failure}`);
      return { tookMs, restarted };
    }
    if ((await findHomeHolder(home))?.pid !== holder.pid) throw new Error("The hub ended during the restart");
  }
  throw new Error(`The restart has not ended within ${TIMEOUT_MS / 60_000} minutes; see the hub's terminal`);
}
