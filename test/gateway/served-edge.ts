import { serveEdge } from "../../src/edge/serve.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import type { TestApp } from "../edge/app-fixture.ts";

/** The whole edge over HTTP, on the same database and Redis as the app in this process. */
export async function serveBeside(hub: TestApp): Promise<{ port: number; stop(): Promise<void> }> {
  const runtime = createRuntime(loadConfig({ ...hub.env, PORT: "0" }), "edge");
  const server = await serveEdge(runtime);
  return { port: server.port!, stop: () => runtime.shutdown.run() };
}
