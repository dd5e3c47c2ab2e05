import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import { exitOnSignals } from "../../src/platform/shutdown.ts";
import { serveEdge } from "../../src/edge/serve.ts";

/** One edge process of a test: tells its port, and ends with SIGTERM. */
const runtime = createRuntime(loadConfig(), "edge");
exitOnSignals(runtime.shutdown, runtime.log);
const server = await serveEdge(runtime);
console.log(server.port);
