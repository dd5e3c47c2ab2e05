import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { DATA_KEY_TTL_MS } from "./data-key.ts";
import { announceDataKeys } from "./follow-data-keys.ts";
import { reencryptRows } from "./reencrypt-rows.ts";
import { rewrapKeys } from "./rewrap-keys.ts";
import { SEALED_COLUMNS } from "./sealed-columns.ts";
import { deleteKeys, findDueVaultJobs, lockVaultJob, saveVaultJob, type VaultJobRow } from "./store.ts";

/** What a step does next. */
type StepEnd = "again" | "rest";

/**
 * Until then a process that did not hear of the rotation may seal with the old key, and what it sealed may wait for its
 * commit a while longer.
 */
const FINAL_SWEEP_DELAY_MS = DATA_KEY_TTL_MS + 60_000;

/**
 * Works at every open job of the vault as far as it can be done now. Each step is one short transaction that also says
 * how far the job is, so a process that is killed loses nothing; several processes share the jobs.
 *
 * @param mayGoOn asked before each step
 */
export async function runVaultJobs(runtime: Runtime, mayGoOn: () => boolean): Promise<void> {
  for (const id of await findDueVaultJobs(runtime.sqlSystem, new Date(runtime.clock.nowMs()))) {
    let end: StepEnd = "again";
    // oxlint-disable-next-line no-await-in-loop -- one step after the other: the traffic goes first
    while (end === "again" && mayGoOn()) end = await runStep(runtime, id);
  }
}

async function runStep(runtime: Runtime, id: string): Promise<StepEnd> {
  const now = new Date(runtime.clock.nowMs());
  const { job } = await runtime.sqlSystem.begin(async (tx) => {
    const locked = await lockVaultJob(tx, id, now);
    // Another key ring than the one the job was begun with: only a process that has its first key may go on.
    if (locked === undefined || (locked.kind === "REWRAP" && locked.target !== runtime.keyRing.ids()[0]))
      return { job: undefined };
    if (locked.kind === "REWRAP") await rewrapStep(runtime, tx, locked);
    else await reencryptStep(runtime, tx, locked, now);
    await saveVaultJob(tx, locked, now);
    return { job: locked };
  });
  if (job?.phase === "DONE") {
    const { kind, tenantId, renewed, unreadable } = job;
    if (tenantId !== null) await announceDataKeys(runtime, tenantId);
    runtime.log.info({ kind, tenantId, renewed, unreadable }, "vault job done");
  }
  return job === undefined || job.phase === "DONE" || job.dueAt > now ? "rest" : "again";
}

async function rewrapStep(runtime: Runtime, tx: Transaction, job: VaultJobRow): Promise<void> {
  const piece = await rewrapKeys(runtime, tx, { kekId: job.target, afterId: job.lastId });
  advance(job, piece);
  if (piece.lastId === null) job.phase = "DONE";
}

async function reencryptStep(runtime: Runtime, tx: Transaction, job: VaultJobRow, now: Date): Promise<void> {
  const place = (at: number): string | null => {
    const next = SEALED_COLUMNS[at];
    return next === undefined ? null : `${next.table}.${next.column}`;
  };
  job.place ??= place(0);
  const index = SEALED_COLUMNS.findIndex((_column, at) => place(at) === job.place);
  const piece = await reencryptRows(runtime, tx, {
    tenantId: job.tenantId!,
    dataKeyId: job.target,
    // A column that a newer version left out: the sweep begins anew.
    column: SEALED_COLUMNS[Math.max(index, 0)]!,
    afterId: index < 0 ? null : job.lastId,
  });
  advance(job, piece);
  if (piece.lastId !== null) return;
  job.place = place(Math.max(index, 0) + 1);
  if (job.place !== null) return;
  if (job.phase === "SWEEP") {
    job.phase = "FINAL";
    job.unreadable = 0;
    job.dueAt = new Date(job.createdAt.getTime() + FINAL_SWEEP_DELAY_MS);
    if (job.dueAt < now) job.dueAt = now;
    return;
  }
  job.phase = "DONE";
  // Something that could not be opened may be mended by an operator, who needs the key then.
  if (job.unreadable === 0) await deleteKeys(tx, job.tenantId!, "RETIRED");
}

function advance(
  job: VaultJobRow,
  piece: { renewed: number; unreadable: number; lastId: string | null },
): void {
  job.renewed += piece.renewed;
  job.unreadable += piece.unreadable;
  job.lastId = piece.lastId;
}
