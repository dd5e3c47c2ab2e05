import { systemContext } from "../../src/domain/context.ts";
import { loadIntegration } from "../../src/domain/integrations/load-integration.ts";
import { ensureFreshToken } from "../../src/domain/oauth/ensure-fresh-token.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { createRuntime } from "../../src/platform/runtime.ts";

/** A process in which many callers want the token of one integration at once: argv[2] is JSON. Starts at a line on stdin. */
const { tenantId, integrationId, callers } = JSON.parse(process.argv[2]!) as {
  tenantId: string;
  integrationId: string;
  callers: number;
};
const runtime = createRuntime(loadConfig(), "worker");
const ctx = systemContext(runtime, tenantId, "test", "test");
const integration = await loadIntegration(ctx, integrationId);
process.stdout.write("ready\n");
await console[Symbol.asyncIterator]().next();
const tokens = await Promise.all(
  Array.from({ length: callers }, () =>
    ensureFreshToken(ctx, integration).then(
      ({ credentials }) => credentials["accessToken"],
      (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
    ),
  ),
);
process.stdout.write(`${JSON.stringify(tokens)}\n`);
await runtime.shutdown.run();
process.exit(0);
