import { rm } from "node:fs/promises";
import { join } from "node:path";
import { preparePostgres } from "../../src/platform/services/postgres-service.ts";
import { makeTestFolder } from "./test-folder.ts";

/** A whole server, for tests that kill it. */
export interface TestPostgresServer {
  superuserUrl: string;
  dataDir: string;
  pid(): number;
  /** SIGKILL, as a crash of the machine's process would be. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A server with its data in a new folder.
 *
 * @param settings of postgresql.conf, beyond the hub's own
 */
export async function startTestPostgresServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<TestPostgresServer> {
  const home = await makeTestFolder("hub-test-postgres-");
  const prepared = await preparePostgres({
    home,
    path: process.env["PATH"] ?? "",
    report: () => undefined,
    settings: { shared_buffers: "64MB", ...settings },
  });
  const start = () => prepared.service.start(() => undefined);
  let running = await start();
  return {
    superuserUrl: prepared.superuserUrl,
    dataDir: join(home, "postgres"),
    pid: () => running.pid!,
    async kill() {
      running.kill("SIGKILL");
      await running.exited;
    },
    async restart() {
      running = await start();
    },
    async stop() {
      running.kill("SIGQUIT");
      await running.exited;
      await rm(home, { recursive: true, force: true });
    },
  };
}
