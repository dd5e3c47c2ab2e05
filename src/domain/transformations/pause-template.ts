import { publishInvalidation } from "../../platform/invalidation.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import { TRANSFORMATION_KIND } from "./announce-transformation.ts";
import type { DocumentFailure } from "./document-fault.ts";
import { deletePause, savePause } from "./pause-store.ts";
import type { ReadyTemplate } from "./template-cache.ts";
import { PAUSE_SECONDS } from "./template-health.ts";

/** Text of the last fault that is kept with a pause. */
const MESSAGE_CHARS_MAX = 500;

/**
 * Lets a version rest for one tenant, in every process, and tells subscribers. Never rejects: while Postgres is away the
 * process goes on as it is, and the next failure asks again.
 */
export async function pauseTemplate(
  runtime: Runtime,
  template: ReadyTemplate,
  failure: DocumentFailure,
): Promise<void> {
  const { forTenantId: tenantId, templateId, code, version, health } = template;
  const pausedAt = new Date(runtime.clock.nowMs());
  const message = failure.message.slice(0, MESSAGE_CHARS_MAX);
  const failures = health.failuresInARow;
  // Counted anew at once: what fails meanwhile asks for no further pause.
  health.failuresInARow = 0;
  health.costlyInARow = 0;
  try {
    const pause = await runtime.sqlSystem.begin(async (tx) => {
      const saved = await savePause(
        tx,
        { tenantId, templateId, version },
        { code: failure.code, message, failures, pausedAt },
        PAUSE_SECONDS,
      );
      if (saved === undefined) return undefined;
      await publishHubEvents(tx, [
        {
          tenantId,
          type: "transformation.paused",
          orderingKey: templateId,
          data: {
            templateId,
            code,
            version,
            reason: failure.code,
            message,
            failures: saved.failures,
            pausedUntil: new Date(saved.pausedUntil).toISOString(),
          },
        },
      ]);
      return saved;
    });
    if (pause === undefined) return;
    template.pause = pause;
    runtime.log.warn({ tenantId, templateId, code, version, reason: failure.code }, "a template is paused");
    await publishInvalidation(runtime, TRANSFORMATION_KIND, tenantId);
  } catch (error) {
    runtime.log.warn({ err: error, templateId, version }, "a template could not be paused");
  }
}

/** Ends a pause, because a document passed. Never rejects. */
export async function resumeTemplate(runtime: Runtime, template: ReadyTemplate): Promise<void> {
  const { forTenantId: tenantId, templateId, code, version } = template;
  try {
    await runtime.sqlSystem.begin(async (tx) => {
      if (!(await deletePause(tx, { tenantId, templateId, version }))) return;
      await publishHubEvents(tx, [
        {
          tenantId,
          type: "transformation.resumed",
          orderingKey: templateId,
          data: { templateId, code, version },
        },
      ]);
    });
    template.pause = null;
    await publishInvalidation(runtime, TRANSFORMATION_KIND, tenantId);
  } catch (error) {
    runtime.log.warn({ err: error, templateId, version }, "a pause could not be ended");
  }
}
