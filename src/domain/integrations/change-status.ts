import type { Transaction } from "../context.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";
import type { TestResult } from "./schema.ts";
import { connectionEvent, type IntegrationStatus, nextStatus, type StatusCause } from "./state.ts";
import { type IntegrationRow, saveIntegrationState } from "./store.ts";

/** Whose status changes. */
export type StatusOwner = Pick<
  IntegrationRow,
  "id" | "tenantId" | "providerCode" | "environment" | "name"
> & {
  status: IntegrationStatus;
};

/** What else is known of the change. */
export interface StatusChange {
  cause: StatusCause;
  now: Date;
  /** Why the connection was lost; becomes `last_error`. Never holds a secret. */
  error?: { code: string; message: string };
  /** The test that led to it. */
  test?: TestResult;
  correlationId?: string;
}

/**
 * Applies what happened to an integration whose row is locked, and publishes `integration.connected` or
 * `integration.disconnected` in the same transaction when the connection came or went.
 *
 * @param tx of hub_app for a verb, of hub_system for the hub's own work
 * @returns the status from now on
 */
export async function changeStatus(
  tx: Transaction,
  owner: StatusOwner,
  change: StatusChange,
): Promise<IntegrationStatus> {
  const { cause, now, error, test } = change;
  const status = nextStatus(owner.status, cause);
  await saveIntegrationState(tx, owner, {
    status,
    ...(error === undefined
      ? {}
      : { lastError: `${error.code}: ${error.message}`, lastErrorAt: now, errors: 1 }),
    ...(test === undefined ? {} : { lastTest: test, lastTestAt: now }),
    ...(test === undefined || test.steps.length === 0 ? {} : { lastCallAt: now }),
    ...(test?.passed === true && test.steps.length > 0 ? { lastSuccessfulCall: now } : {}),
  });
  await publishConnection(tx, { ...owner, to: status }, change);
  return status;
}

/** Publishes the event of a change of status, when it has one. */
export async function publishConnection(
  tx: Transaction,
  owner: Omit<StatusOwner, "status"> & { status: IntegrationStatus | "NEW"; to: IntegrationStatus },
  { now, error, correlationId }: Pick<StatusChange, "now" | "error" | "correlationId">,
): Promise<void> {
  const type = connectionEvent(owner.status, owner.to);
  if (type === undefined) return;
  await publishHubEvents(tx, [
    {
      tenantId: owner.tenantId,
      type,
      orderingKey: owner.id,
      occurredAt: now,
      ...(correlationId === undefined ? {} : { correlationId }),
      data: {
        integrationId: owner.id,
        providerCode: owner.providerCode,
        environment: owner.environment,
        name: owner.name,
        status: owner.to,
        ...(type === "integration.disconnected" ? { error: error ?? null } : {}),
      },
    },
  ]);
}
