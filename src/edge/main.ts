import { parseArgs } from "node:util";
import { loadConfig } from "../platform/config.ts";
import { runEntry } from "../platform/process/run-entry.ts";
import { tellReady } from "../platform/process/tell-ready.ts";
import { createRuntime } from "../platform/runtime.ts";
import { exitOnSignals } from "../platform/shutdown.ts";
import { startTelemetry } from "../platform/telemetry.ts";
import { runBootChecks } from "../domain/health/boot-checks.ts";
import { serveEdge } from "./serve.ts";

/**
 * Entry of one edge process. `start` runs it with every variable set and `--supervised`: it then shares its port with
 * the one that replaces it, and tells when it is ready. Alone it needs DATABASE_URL and REDIS_URL.
 */
await runEntry(async () => {
  const { values } = parseArgs({ options: { supervised: { type: "boolean", default: false } } });
  const config = loadConfig();
  const runtime = createRuntime(config, "edge");
  exitOnSignals(runtime.shutdown, runtime.log);
  await startTelemetry(runtime);
  await runBootChecks(runtime);
  const server = await serveEdge(runtime, { sharesPort: values.supervised });
  runtime.log.info({ url: server.url.href }, "edge is listening");
  if (values.supervised) tellReady();
});
