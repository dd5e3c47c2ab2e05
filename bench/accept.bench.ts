import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Contender, hubContender, startBarePeer, startBullmqPeer } from "./support/accept-contenders.ts";
import {
  acceptSections,
  acceptVerdict,
  HUB,
  HUB_ONE_ENDPOINT,
  HUB_WORKERS_STOPPED,
  type OpenLoopRun,
} from "./support/accept-report.ts";
import { runRounds, summarizeRuns } from "./support/accept-rounds.ts";
import { defineBenchmark } from "./support/benchmark.ts";
import { toggle, wholeNumber, wholeNumbers } from "./support/command-line.ts";
import { driveLoad } from "./support/drive-load.ts";
import { type HubStores, openStores } from "./support/hub-stores.ts";
import {
  createSenders,
  hubProcesses,
  type HubUnderTest,
  readServices,
  startHub,
} from "./support/hub-under-test.ts";
import type { LoadEndpoint } from "./support/load-endpoint.ts";
import { publishResult } from "./support/results.ts";
import { findSustainedRate } from "./support/sustained-rate.ts";
import { prepareRequests, provideWrk } from "./support/wrk.ts";

const BODY_BYTES = 1024;

/** Rounds of the rows that explain the main one; three are enough to tell what differs. */
const EXTRA_ROUNDS_MAX = 3;

const FLAGS = {
  rounds: wholeNumber("alternating rounds; the median counts", { hint: "n", fallback: 5, min: 1, max: 50 }),
  seconds: wholeNumber("length of each closed-loop run", { hint: "n", fallback: 5, min: 1, max: 60 }),
  connections: wholeNumbers("connections of the closed loop", {
    hint: "n",
    fallback: [64, 256],
    min: 1,
    max: 4096,
  }),
  "open-loop-seconds": wholeNumber("length of the open-loop run for p99", {
    hint: "n",
    fallback: 15,
    min: 2,
    max: 300,
  }),
  "sustain-seconds": wholeNumber("time for which the backlog must not grow; 0: left out", {
    hint: "n",
    fallback: 60,
    min: 0,
    max: 600,
  }),
  "no-extras": toggle("leave out the rows with one endpoint and with the workers stopped"),
};

/** DESIGN: the accept path against its peers. Everything runs on loopback and stops by itself. */
export const acceptBenchmark = defineBenchmark({
  name: "accept",
  summary: "inbound webhooks: rate and latency against bare Bun.serve and Fastify + BullMQ",
  about: [
    "Starts a hub by its own `start` with defaults on data of its own, makes 10 tenants with 10 endpoints each, and",
    "sends them signed webhooks of 1 KB with distinct ids: closed loop by wrk, in turn with a bare Bun.serve and with",
    "Fastify + BullMQ on the same Redis; open loop at half the hub's rate for latency; then the highest steady rate at",
    "which the workers keep up. A run counts only when distinct ids = 2xx = growth of the streams and receipts.",
    "Takes about a quarter of an hour. Quick look: --rounds 1 --seconds 3 --sustain-seconds 10 --no-extras",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const program = await provideWrk();
    const files = await mkdtemp(join(tmpdir(), "hub-bench-accept-"));
    console.log("Starting the hub");
    const hub = await startHub();
    const stores = openStores(readServices(hub));
    const stops: (() => Promise<void>)[] = [];
    try {
      const settings = await stores.settings();
      console.log(
        Object.entries(settings)
          .map(([name, value]) => `  ${name}: ${value}`)
          .join("\n"),
      );
      const endpoints = await createSenders(hub);
      const field = await createField({ hub, stores, endpoints, files, stops });
      console.log(`${flags.rounds} rounds of ${flags.seconds} s:`);
      const closedLoop = { program, connections: flags.connections, seconds: flags.seconds };
      const runs = await runRounds({
        ...closedLoop,
        contenders: field.main,
        rounds: flags.rounds,
        firstRound: 1,
      });
      if (!flags["no-extras"]) {
        console.log("Rows that explain it:");
        const rounds = Math.min(flags.rounds, EXTRA_ROUNDS_MAX);
        const firstRound = flags.rounds + 1;
        runs.push(...(await runRounds({ ...closedLoop, contenders: field.extras, rounds, firstRound })));
      }
      const openLoop: OpenLoopRun[] = [];
      for (const connections of flags.connections) {
        const rate = summarizeRuns(runs, HUB, connections)?.ratePerSecond;
        if (rate === undefined) continue;
        console.log(`Open loop at half the rate, ${connections} connections`);
        const plan = {
          connections,
          ratePerSecond: Math.round(rate / 2),
          seconds: flags["open-loop-seconds"],
        };
        openLoop.push(await runOpenLoop(field.main[0]!, endpoints, plan));
      }
      const acceptRate = summarizeRuns(runs, HUB, Math.max(...flags.connections))?.ratePerSecond;
      const holdSeconds = flags["sustain-seconds"];
      console.log(holdSeconds === 0 ? "" : "Looking for the rate at which the workers keep up:");
      const sustained =
        holdSeconds === 0 || acceptRate === undefined
          ? undefined
          : await findSustainedRate({
              hub,
              stores,
              endpoints,
              acceptRatePerSecond: acceptRate,
              holdSeconds,
              bodyBytes: BODY_BYTES,
            });
      const result = { connections: flags.connections, runs, openLoop, sustained, settings };
      const sections = acceptSections(result);
      console.log(`\n${sections.slice(1).join("\n\n")}`);
      await publishResult({ name: "accept", sections, data: result, verdict: acceptVerdict(result) });
    } finally {
      for (const stop of stops) await stop();
      await stores.close();
      await hub.stop();
      await rm(files, { recursive: true, force: true });
    }
  },
});

interface FieldOptions {
  hub: HubUnderTest;
  stores: HubStores;
  endpoints: readonly LoadEndpoint[];
  /** Directory for prepared requests. */
  files: string;
  /** Gets what must be stopped at the end. */
  stops: (() => Promise<void>)[];
}

/** Everything that is measured in turn: the hub and its peers, and the rows that explain the hub's. */
async function createField(options: FieldOptions): Promise<{ main: Contender[]; extras: Contender[] }> {
  const { hub, stores, endpoints, files, stops } = options;
  const { host } = new URL(hub.baseUrl);
  const [allFile, oneFile, secretsFile] = [
    join(files, "all"),
    join(files, "one"),
    join(files, "secrets.json"),
  ];
  await prepareRequests(endpoints, host, BODY_BYTES, allFile);
  await prepareRequests(endpoints.slice(0, 1), host, BODY_BYTES, oneFile);
  const secrets = endpoints.map(({ path, secret }) => [path.replace("/webhooks/", ""), secret]);
  await writeFile(secretsFile, JSON.stringify(Object.fromEntries(secrets)), { mode: 0o600 });
  const bare = await startBarePeer(allFile);
  stops.push(() => bare.stop());
  const bullmq = await startBullmqPeer({
    redisUrl: readServices(hub).redisUrl,
    redisPids: () => hubProcesses(hub)["redis"] ?? [],
    endpointsFile: secretsFile,
    requestsFile: allFile,
  });
  if (bullmq !== undefined) stops.push(() => bullmq.stop());
  const contender = (name: string, requestsFile: string, workersStopped: boolean): Contender =>
    hubContender(hub, stores, { name, requestsFile, workersStopped });
  return {
    main: [contender(HUB, allFile, false), bare, ...(bullmq === undefined ? [] : [bullmq])],
    extras: [
      contender(HUB_ONE_ENDPOINT, oneFile, false),
      contender(HUB_WORKERS_STOPPED, allFile, true),
      bare,
    ],
  };
}

async function runOpenLoop(
  contender: Contender,
  endpoints: readonly LoadEndpoint[],
  plan: { connections: number; ratePerSecond: number; seconds: number },
): Promise<OpenLoopRun> {
  await contender.prepare();
  const report = await driveLoad({
    ...plan,
    baseUrl: contender.baseUrl,
    endpoints,
    bodyBytes: BODY_BYTES,
    timeoutMs: 5000,
  });
  const settled = await contender.settle();
  const stored = settled?.stored ?? 0;
  // Here every answer is waited for, so the three counts must be the same.
  const voidBecause =
    settled?.fault ??
    (report.sent === report.answered2xx && report.sent === stored && report.unsent === 0
      ? undefined
      : `${report.sent} sent, ${report.unsent} not sent, ${report.answered2xx} answered with 2xx, ${stored} stored`);
  return { connections: plan.connections, ratePerSecond: plan.ratePerSecond, report, stored, voidBecause };
}
