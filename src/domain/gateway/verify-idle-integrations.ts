import type { Runtime } from "../../platform/runtime.ts";
import { newId } from "../../platform/uuid.ts";
import { systemContext } from "../context.ts";
import { HubError } from "../errors.ts";
import { findIdleIntegrations } from "../integrations/store.ts";
import { verifyIntegration } from "./verify-integration.ts";

/** Nobody has heard of a connection for this long: the hub asks itself (± a tenth). */
const IDLE_SECONDS = 300;
/** Connections of one run; the next run takes those that are left. */
const PIECE = 200;
/** At once: tests must not take the place of calls. */
const CONCURRENCY = 4;

/**
 * Verifies connections that are idle: their trouble is known before the next call meets it. Those with traffic are not
 * asked, because their calls tell.
 *
 * @param mayGoOn asked before each test
 * @returns how many were tested
 */
export async function verifyIdleIntegrations(runtime: Runtime, mayGoOn: () => boolean): Promise<number> {
  const now = new Date(runtime.clock.nowMs());
  const idle = await findIdleIntegrations(runtime.sqlSystem, {
    now,
    idleSeconds: IDLE_SECONDS,
    limit: PIECE,
  });
  const waiting = [...idle];
  let tested = 0;
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && mayGoOn(); next = waiting.shift()) {
      const ctx = systemContext(runtime, next.tenantId, "connection-check", newId());
      try {
        // oxlint-disable-next-line no-await-in-loop -- few at once, by intent
        await verifyIntegration(ctx, { id: next.id, purpose: "idle" });
        tested++;
      } catch (error) {
        // Deleted meanwhile, or not logged in.
        if (!(error instanceof HubError))
          runtime.log.error({ err: error, integrationId: next.id }, "connection not verified");
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return tested;
}
