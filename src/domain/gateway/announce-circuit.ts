import type { Config } from "../../platform/config.ts";
import { raiseAlert } from "../alerts/raise-alert.ts";
import type { CircuitTransition } from "../circuit-breaker/circuit-snapshot.ts";
import type { Transaction } from "../context.ts";
import { publishHubEvents } from "../events/publish-hub-event.ts";

/**
 * Tells of a circuit that opened or closed, in the transaction that records it: `circuit.opened` or `circuit.closed` to
 * the tenant's subscribers, and an alert to the operators.
 */
export async function announceCircuit(
  tx: Transaction,
  config: Pick<Config, "alertWebhookUrl" | "alertEmailTo">,
  { kind, circuit }: CircuitTransition,
): Promise<void> {
  const { tenantId, integrationId, changedAtMs } = circuit;
  const [named] = await tx<{ name: string; providerCode: string }[]>`
    select i.name, p.code as "providerCode"
    from integrations i join integration_providers p on p.id = i.provider_id where i.id = ${integrationId}`;
  const changedAt = new Date(changedAtMs);
  const data = {
    integrationId,
    integrationName: named?.name,
    providerCode: named?.providerCode,
    environment: circuit.environment,
    state: circuit.state,
    failureCount: circuit.failureCount,
    changedAt: changedAt.toISOString(),
  };
  await publishHubEvents(tx, [
    { tenantId, type: `circuit.${kind}`, data, orderingKey: integrationId, occurredAt: changedAt },
  ]);
  await raiseAlert(tx, config, {
    tenantId,
    kind: `circuit.${kind}`,
    title: `Circuit ${kind}: ${named?.name ?? integrationId} (${named?.providerCode ?? "?"}, ${circuit.environment})`,
    data,
  });
}
