import { plainArrayText, quotedArrayText } from "../../platform/postgres/array-text.ts";
import { storableText } from "../../platform/postgres/storable.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { systemContext, type Transaction } from "../context.ts";
import { type HubEvent, publishHubEvents } from "../events/publish-hub-event.ts";
import type { FinishedDelivery, MadeAttempt } from "./delivery-work.ts";
import { FAILURES_TO_DISABLE } from "./next-state.ts";

/** A subscription that was disabled by its receiver's answers. */
export interface DisabledSubscription {
  subscriptionId: string;
  tenantId: string;
  reason: string;
  consecutiveFailures: number;
}

interface Tally {
  subscriptionId: string;
  tenantId: string;
  /** In the order in which they ended. */
  attempts: MadeAttempt[];
}

/**
 * Counts failed attempts in a row, in the transaction that stores the attempts: any 2xx clears the count, ten disable the
 * subscription (specification, "Business Rules"), a 410 does so at once, also one that was paused meanwhile: its receiver
 * wants nothing more, whatever is resumed. Tests and attempts that were not made count
 * nowhere.
 *
 * @param tx role hub_system
 * @returns the subscriptions that this call disabled; their caches are to be told after the commit
 */
export async function countFailures(
  tx: Transaction,
  runtime: Runtime,
  finished: readonly FinishedDelivery[],
): Promise<DisabledSubscription[]> {
  const tallies = tallyOf(finished);
  const clean = tallies.filter(({ attempts }) => attempts.every(isSuccess));
  const failing = tallies.filter(({ attempts }) => !attempts.every(isSuccess));
  if (clean.length > 0) {
    await tx`
      update webhook_subscriptions set consecutive_failures = 0
      where id = any(${plainArrayText(clean.map(({ subscriptionId }) => subscriptionId))}::text::uuid[])
        and consecutive_failures <> 0`;
  }
  if (failing.length === 0) return [];
  const ids = plainArrayText(failing.map(({ subscriptionId }) => subscriptionId));
  const rows = await tx<{ id: string; count: number; status: string }[]>`
    select id, consecutive_failures as count, status from webhook_subscriptions
    where id = any(${ids}::text::uuid[]) and deleted_at is null order by id for update`;
  const disabled: DisabledSubscription[] = [];
  const counts: { id: string; count: number }[] = [];
  for (const { id, count, status } of rows) {
    const { tenantId, attempts } = failing.find(({ subscriptionId }) => subscriptionId === id)!;
    const verdict = judge(count, attempts);
    counts.push({ id, count: verdict.count });
    if (verdict.reason !== undefined && (status === "ACTIVE" || (verdict.gone && status === "PAUSED"))) {
      disabled.push({
        subscriptionId: id,
        tenantId,
        reason: verdict.reason,
        consecutiveFailures: verdict.highest,
      });
    }
  }
  await tx`
    update webhook_subscriptions s set consecutive_failures = given.count
    from unnest(
      ${plainArrayText(counts.map(({ id }) => id))}::text::uuid[],
      ${plainArrayText(counts.map(({ count }) => count))}::text::int[]
    ) as given(id, count) where s.id = given.id`;
  if (disabled.length > 0) await disable(tx, runtime, disabled);
  return disabled;
}

function isSuccess({ next }: MadeAttempt): boolean {
  return next.status === "DELIVERED";
}

/** Attempts by subscription, without those whose success has nothing to clear. */
function tallyOf(finished: readonly FinishedDelivery[]): Tally[] {
  const tallies = new Map<string, Tally>();
  for (const { delivery, tenantId, attempt, mayClearFailures } of finished) {
    if (attempt === undefined) continue;
    const { subscriptionId } = delivery;
    const known = tallies.get(subscriptionId);
    if (known !== undefined) known.attempts.push(attempt);
    else if (mayClearFailures || !isSuccess(attempt))
      tallies.set(subscriptionId, { subscriptionId, tenantId, attempts: [attempt] });
  }
  return [...tallies.values()];
}

function judge(
  before: number,
  attempts: readonly MadeAttempt[],
): { count: number; highest: number; gone: boolean; reason: string | undefined } {
  let [count, highest] = [before, before];
  let reason: string | undefined;
  for (const attempt of attempts) {
    count = isSuccess(attempt) ? 0 : count + 1;
    highest = Math.max(highest, count);
    if (attempt.gone) reason ??= "The receiver answered 410 Gone";
    else if (count >= FAILURES_TO_DISABLE) {
      reason ??= `${count} failed attempts in a row; the last: ${attempt.facts.errorMessage ?? attempt.facts.errorCode}`;
    }
  }
  return { count, highest, gone: attempts.some(({ gone }) => gone), reason };
}

async function disable(
  tx: Transaction,
  runtime: Runtime,
  disabled: readonly DisabledSubscription[],
): Promise<void> {
  await tx`
    update webhook_subscriptions s
    set status = 'FAILED', is_enabled = false, disabled_reason = given.reason, updated_at = now(),
      changed_at = clock_timestamp()
    from unnest(
      ${plainArrayText(disabled.map(({ subscriptionId }) => subscriptionId))}::text::uuid[],
      ${quotedArrayText(disabled.map(({ reason }) => storableText(reason)))}::text::text[]
    ) as given(id, reason) where s.id = given.id`;
  for (const { tenantId, subscriptionId } of disabled) {
    await emitAudit(tx, systemContext(runtime, tenantId, "deliveries", newId()), {
      verb: "webhook_subscription.disable",
      objectType: "webhook_subscription",
      objectId: subscriptionId,
      changedFields: ["status", "disabledReason"],
    });
  }
  const events = disabled.map(({ tenantId, subscriptionId, reason, consecutiveFailures }): HubEvent => ({
    tenantId,
    type: "webhook.subscription_disabled",
    data: { subscriptionId, reason, consecutiveFailures },
  }));
  await publishHubEvents(tx, events);
}
