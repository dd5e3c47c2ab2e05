import { createHash } from "node:crypto";
import { withSortedMembers } from "../../platform/json/sort-members.ts";
import { newId } from "../../platform/uuid.ts";
import { type Context, withOuterTransaction } from "../context.ts";
import { HubError, invalidInput } from "../errors.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { findAnswer, saveAnswer, tryLockKey } from "./store.ts";

/** Time for which a key is remembered (DESIGN.md section 8). */
const LIFETIME_MS = 24 * 60 * 60 * 1000;

const KEY = /^[\x21-\x7e]{1,255}$/;

/** The request under a key: whatever JSON tells it from another one. */
export interface OnceInput {
  /** The caller's `Idempotency-Key`. */
  key: string;
  request: unknown;
}

/**
 * Runs `work` at most once for a key: what its verbs write and the remembered answer are committed in one transaction,
 * so that neither a crash nor a lost connection can leave one without the other. Only good answers are remembered; after
 * an error the same key may be tried again. Answers are sealed, because they may hold a secret that is shown once.
 *
 * @param work gets the context that it must hand to its verbs
 * @returns the verb's answer, or the first one's with `replayed`
 * @throws HubError `idempotency_mismatch` (422) for another request or another caller under the key,
 * `idempotency_in_progress` (409) while the first one runs, `invalid_input` for a malformed key
 */
export async function runOnce<T>(
  ctx: Context,
  input: OnceInput,
  work: (joined: Context) => Promise<T>,
): Promise<{ value: T; replayed: boolean }> {
  if (!KEY.test(input.key)) {
    throw invalidInput([
      { path: "Idempotency-Key", message: "1 to 255 printable ASCII characters without spaces" },
    ]);
  }
  const { runtime, tenantId } = ctx;
  const requestHash = hashRequest([ctx.actor.type, ctx.actor.id, input.request]);
  return withOuterTransaction(ctx, async (joined, tx) => {
    if (!(await tryLockKey(tx, tenantId, input.key))) throw new HubError("idempotency_in_progress");
    const nowMs = runtime.clock.nowMs();
    const known = await findAnswer(tx, tenantId, input.key, new Date(nowMs));
    if (known !== undefined) {
      if (known.requestHash !== requestHash) throw new HubError("idempotency_mismatch");
      const text = await openSecret(runtime, tx, answerPlace(tenantId, known.id), known.sealed);
      return { value: JSON.parse(text) as T, replayed: true };
    }
    const value = await work(joined);
    const id = newId(nowMs);
    const sealed = await sealSecret(runtime, tx, answerPlace(tenantId, id), JSON.stringify(value));
    await saveAnswer(tx, {
      id,
      tenantId,
      key: input.key,
      requestHash,
      sealed,
      expiresAt: new Date(nowMs + LIFETIME_MS),
    });
    return { value, replayed: false };
  });
}

function answerPlace(tenantId: string, rowId: string) {
  return { tenantId, table: "idempotency_keys", rowId, column: "response_sealed" };
}

/** The order of an object's members says nothing (RFC 8259 section 4), and clients that repeat a call may change it. */
function hashRequest(parts: readonly unknown[]): string {
  return createHash("sha256")
    .update(JSON.stringify(withSortedMembers(parts)))
    .digest("hex");
}
