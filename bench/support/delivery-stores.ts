import { loadConfig } from "../../src/platform/config.ts";
import { createLogger } from "../../src/platform/log.ts";
import { connectPostgres } from "../../src/platform/postgres/client.ts";
import { deriveRoleUrls } from "../../src/platform/postgres/roles.ts";
import { callHub, type HubServices, type HubUnderTest, type Tenant } from "./hub-under-test.ts";

/** What the hub wrote of deliveries. */
export interface DeliveryRows {
  events: number;
  attempts: number;
  delivered: number;
  /** Different events among the delivered ones. */
  distinct: number;
}

/** Direct view of a hub's Postgres, for counting what is really there. */
export interface DeliveryStores {
  rows(): Promise<DeliveryRows>;
  /** Rows of attempts alone. */
  attempts(): Promise<number>;
  /** Removes events and attempts, so that a long run fits on the disk. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export function openDeliveryStores(services: HubServices): DeliveryStores {
  const log = createLogger(loadConfig({}).logLevel, "bench");
  const open = (url: string) =>
    connectPostgres({ url, purpose: "system", max: 1, statementTimeoutMs: 120_000, log });
  const system = open(deriveRoleUrls(services.databaseUrl, services.encryptionKey).systemUrl);
  const owner = open(services.databaseUrl);
  return {
    async rows() {
      const [row] = await system<DeliveryRows[]>`
        select (select count(*)::float8 from events) as events, count(*)::float8 as attempts,
          (count(*) filter (where status = 'DELIVERED'))::float8 as delivered,
          (count(distinct event_id) filter (where status = 'DELIVERED'))::float8 as distinct
        from webhook_deliveries`;
      return row!;
    },
    async attempts() {
      const [row] = await system<
        { count: number }[]
      >`select count(*)::float8 as count from webhook_deliveries`;
      return row!.count;
    },
    async clear() {
      await owner`truncate events, webhook_deliveries`;
    },
    async close() {
      await Promise.all([system.end({ timeout: 5 }), owner.end({ timeout: 5 })]);
    },
  };
}

/**
 * Makes a subscription for one event type.
 *
 * @returns its id
 */
export async function subscribe(
  hub: HubUnderTest,
  tenant: Tenant,
  subscription: { type: string; url: string },
): Promise<string> {
  const { type, url } = subscription;
  const made = await callHub<{ id: string }>(hub, tenant, {
    method: "POST",
    path: "/api/v1/webhooks/subscriptions",
    body: { name: type, url, eventTypes: [type] },
  });
  return made.id;
}
