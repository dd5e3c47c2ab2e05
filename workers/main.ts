import { setPriority } from "node:os";
import { parseArgs } from "node:util";
import { followSubscriptions } from "../src/domain/events/publish-hub-event.ts";
import { followDataKeys } from "../src/domain/vault/follow-data-keys.ts";
import { publishMetrics } from "../src/domain/health/metrics-exchange.ts";
import { runBootChecks } from "../src/domain/health/boot-checks.ts";
import { ConfigError, loadConfig } from "../src/platform/config.ts";
import { runEntry } from "../src/platform/process/run-entry.ts";
import { tellReady } from "../src/platform/process/tell-ready.ts";
import { createRuntime } from "../src/platform/runtime.ts";
import { exitOnSignals } from "../src/platform/shutdown.ts";
import { startTelemetry } from "../src/platform/telemetry.ts";
import { CONSUMERS, type Consumer } from "./registry.ts";

/** Priority of what happens after the 200 on a machine that edge shares. Children inherit it. */
const NICENESS = 10;

/**
 * Entry of one worker process: `bun workers/main.ts [--only inbound,scheduler] [--shares-machine] [--supervised]`; all
 * consumers when `--only` is left out. A supervisor is told when it is ready.
 */
await runEntry(async () => {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      "shares-machine": { type: "boolean", default: false },
      supervised: { type: "boolean", default: false },
    },
  });
  const consumers = chosenConsumers(values.only);
  const sharesMachine = values["shares-machine"];
  if (sharesMachine) setPriority(NICENESS);
  const runtime = createRuntime(loadConfig(), "worker");
  exitOnSignals(runtime.shutdown, runtime.log);
  await startTelemetry(runtime);
  await runBootChecks(runtime);
  publishMetrics(runtime);
  await followSubscriptions(runtime);
  await followDataKeys(runtime);
  for (const consumer of consumers) {
    const started = await consumer.start(runtime, { sharesMachine });
    runtime.shutdown.add(consumer.name, () => started.stop());
  }
  runtime.log.info({ consumers: consumers.map(({ name }) => name) }, "worker is running");
  if (values.supervised) tellReady();
});

function chosenConsumers(only: string | undefined): readonly Consumer[] {
  if (only === undefined) return CONSUMERS;
  const names = only.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !CONSUMERS.some((consumer) => consumer.name === name));
  if (unknown.length > 0) {
    const known = CONSUMERS.map(({ name }) => name).join(", ");
    throw new ConfigError([`--only ${unknown.join(",")}: there are ${known}`]);
  }
  return CONSUMERS.filter((consumer) => names.includes(consumer.name));
}
