import { loadConfig } from "../platform/config.ts";
import { createRuntime } from "../platform/runtime.ts";
import { exitOnSignals } from "../platform/shutdown.ts";
import { startTelemetry } from "../platform/telemetry.ts";
import { runBootChecks } from "../domain/health/boot-checks.ts";
import { serveEdge } from "./serve.ts";

/** Entry of one edge process. `start` runs it with every variable set; alone it needs DATABASE_URL and REDIS_URL. */
const config = loadConfig();
const runtime = createRuntime(config, "edge");
exitOnSignals(runtime.shutdown, runtime.log);
await startTelemetry(runtime);
await runBootChecks(runtime);
const server = await serveEdge(runtime);
runtime.log.info({ url: server.url.href }, "edge is listening");
