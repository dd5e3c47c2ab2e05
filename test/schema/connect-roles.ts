import { createLogger } from "../../src/platform/log.ts";
import { connectPostgres, type Sql } from "../../src/platform/postgres/client.ts";
import { startTestPostgres } from "../support/services.ts";

/** A fresh database with one connection of each role. */
export interface Roles {
  app: Sql;
  system: Sql;
  ownerUrl: string;
  /** A further connection, as the schema's owner. */
  connectOwner(): Sql;
  stop(): Promise<void>;
}

export async function connectRoles(): Promise<Roles> {
  const server = await startTestPostgres();
  const connect = (url: string, purpose: "app" | "system"): Sql =>
    connectPostgres({
      url,
      purpose,
      max: 1,
      statementTimeoutMs: 10_000,
      log: createLogger("silent", "test"),
    });
  const app = connect(server.appUrl, "app");
  const system = connect(server.systemUrl, "system");
  return {
    app,
    system,
    ownerUrl: server.ownerUrl,
    connectOwner: () => connect(server.ownerUrl, "system"),
    async stop() {
      await Promise.all([app.end({ timeout: 1 }), system.end({ timeout: 1 })]);
      await server.stop();
    },
  };
}
