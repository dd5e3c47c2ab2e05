import { emitAudit } from "../../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../../context.ts";
import { ERRORS, HubError } from "../../errors.ts";
import { type AcceptDeps, acceptWebhook, type WebhookAnswer } from "../accept-webhook.ts";
import type { CachedEndpoint } from "../compile-endpoint.ts";
import { judgeRejection, type Judgement } from "./judge-rejection.ts";
import { type LoadedRejection, loadRejection } from "./load-rejection.ts";
import type { RejectionVerdict } from "./rejection-schema.ts";
import { claimRejection, markRejectionAccepted, releaseRejection } from "./rejection-store.ts";

/** What verifying takes. */
export interface VerifyRejectionOptions {
  id: string;
  accept?: boolean | undefined;
  /** The accept path of this process; undefined where none runs. */
  ingress: AcceptDeps | undefined;
}

/**
 * Verifies a sample again with the endpoint's present secrets, judged at the time of its receipt. With `accept` a valid
 * one goes through the accept path like any webhook, once: a second call answers `duplicate` with the first receipt.
 *
 * @throws HubError 403 `forbidden`; 404 `not_found`; 409 `conflict` with the explanation when it is not valid; 429
 * `rate_limited`; 503 `unavailable` or `capacity_exceeded`
 */
export async function verifyRejection(
  ctx: Context,
  input: VerifyRejectionOptions,
): Promise<RejectionVerdict> {
  requireScope(ctx, "webhooks:write");
  const loaded = await withTenant(ctx, (tx) => loadRejection(ctx, tx, input.id));
  const judgement = await judgeRejection(ctx, loaded);
  const { valid, causes } = judgement;
  if (input.accept !== true) return { valid, causes, receiptId: null, status: null };
  const { acceptedReceiptId } = loaded.row;
  if (acceptedReceiptId !== null) return { valid, causes, receiptId: acceptedReceiptId, status: "duplicate" };
  const endpoint = acceptable(judgement);
  if (input.ingress === undefined) throw new HubError("unavailable");
  return { valid, causes, ...(await putThrough(ctx, loaded, endpoint, input.ingress)) };
}

/** @throws HubError 409 `conflict` for what must not be put through */
function acceptable({ valid, causes, endpoint, isChallenge }: Judgement): CachedEndpoint {
  if (valid !== true || endpoint === undefined) {
    const why = causes.map(({ message }) => message).join(" ");
    throw new HubError(
      "conflict",
      `It cannot be accepted, because its signature is not valid. ${why}`.trim(),
      {
        errors: causes.map(({ code, message, action }) => ({ path: code, message: `${message} ${action}` })),
      },
    );
  }
  if (isChallenge === true) {
    throw new HubError("conflict", "It only asks whether somebody listens: there is no event to accept.");
  }
  return endpoint;
}

/**
 * Claims the sample, sends it through the accept path and notes the receipt. The claim keeps two calls apart where the
 * event has no id by which the second would be recognised; one that was left behind by a crash ends after a minute.
 */
async function putThrough(
  ctx: Context,
  { row, raw }: LoadedRejection,
  endpoint: CachedEndpoint,
  ingress: AcceptDeps,
): Promise<{ receiptId: string; status: "accepted" | "duplicate" }> {
  const { tenantId } = ctx;
  const at = new Date(ctx.runtime.clock.nowMs());
  await withTenant(ctx, async (tx) => {
    const claimed = await claimRejection(tx, tenantId, row.id, at);
    if (!claimed) throw new HubError("conflict", "Another call is accepting it, or has just done so.");
    await emitAudit(tx, ctx, {
      verb: "webhook_rejection.accept",
      objectType: "webhook_rejection",
      objectId: row.id,
      changedFields: ["acceptedReceiptId", "acceptedAt"],
    });
  });
  const body = Buffer.from(raw.body ?? "", "base64");
  const answer = await acceptWebhook(
    { ...ingress, endpoints: { byPath: () => endpoint }, rejections: { add: () => undefined } },
    {
      method: raw.method,
      endpointKey: `${endpoint.tenantSlug}/${endpoint.endpointPath}`,
      target: raw.target,
      headers: new Headers(raw.headers),
      readBody: (maxBytes) => Promise.resolve(body.byteLength > maxBytes ? "too_large" : body),
      socketAddress: () => row.sourceIp ?? "",
      receivedAtMs: raw.receivedAtMs,
    },
  );
  if (answer.kind !== "receipt") {
    await withTenant(ctx, async (tx) => {
      await releaseRejection(tx, tenantId, row.id);
      await emitAudit(tx, ctx, {
        verb: "webhook_rejection.accept_refused",
        objectType: "webhook_rejection",
        objectId: row.id,
      });
    });
    throw refusalOf(answer);
  }
  const { receiptId, status } = answer;
  await withTenant(ctx, async (tx) => {
    await markRejectionAccepted(tx, tenantId, row.id, { receiptId, at });
    await emitAudit(tx, ctx, {
      verb: "webhook_rejection.accepted",
      objectType: "webhook_rejection",
      objectId: row.id,
      changedFields: ["acceptedReceiptId"],
    });
  });
  return { receiptId, status };
}

/** What the sender would have been told, for the operator: what passes by itself keeps its code, the rest is a state. */
function refusalOf(answer: Exclude<WebhookAnswer, { kind: "receipt" }>): HubError {
  if (answer.kind === "fixed") return new HubError("conflict", "It is a challenge and no event.");
  const { code, retryAfterSeconds } = answer;
  const { status, title } = ERRORS[code];
  const more = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return status === 429 || status === 503
    ? new HubError(code, undefined, more)
    : new HubError("conflict", `The accept path refuses it: ${title}.`);
}
