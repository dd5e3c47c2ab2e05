import { Elysia } from "elysia";
import { problemPlugin } from "../../src/edge/plugins/problem.ts";
import { metricsRoutes } from "../../src/edge/routes/metrics.ts";
import type { Runtime } from "../../src/platform/runtime.ts";

/** Only `/metrics`, called without a socket. */
export function createHubApp(runtime: Runtime): (headers?: Record<string, string>) => Promise<Response> {
  const app = new Elysia({ normalize: false })
    .use(problemPlugin(runtime.log, () => []))
    .use(metricsRoutes(runtime));
  return (headers = {}) => app.handle(new Request("http://localhost/metrics", { headers }));
}
