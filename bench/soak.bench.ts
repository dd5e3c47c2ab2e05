import { settleHub } from "./support/accept-contenders.ts";
import { defineBenchmark } from "./support/benchmark.ts";
import { wholeNumber } from "./support/command-line.ts";
import { driveLoad } from "./support/drive-load.ts";
import { fillBacklog, holdWorkers, measureDrain } from "./support/held-workers.ts";
import { type HubStores, openStores } from "./support/hub-stores.ts";
import { createSenders, type HubUnderTest, readServices, startHub } from "./support/hub-under-test.ts";
import type { LatencySummary } from "./support/latency.ts";
import type { LoadEndpoint } from "./support/load-endpoint.ts";
import { type ProcessHoldings, readHoldings } from "./support/process-memory.ts";
import { publishResult } from "./support/results.ts";
import { type Cell, formatTable, rounded } from "./support/table.ts";

const FLAGS = {
  seconds: wholeNumber("length of the whole run", { hint: "n", fallback: 600, min: 5, max: 86_400 }),
  segments: wholeNumber("equal parts, after each of which everything is counted", {
    hint: "n",
    fallback: 10,
    min: 3,
    max: 1000,
  }),
  rate: wholeNumber("requests a second; 0: half of what is accepted and processed for long", {
    hint: "n",
    fallback: 0,
    min: 0,
    max: 100_000,
  }),
  connections: wholeNumber("connections of the senders", { hint: "n", fallback: 64, min: 1, max: 1024 }),
};

const BODY_BYTES = 1024;

/** Backlog by which the workers' rate is found out. */
const PROBE_ENTRIES = 50_000;

/**
 * Share of that rate which counts as half load. Accepting takes its part of the machine: where workers alone drain 11,800/s
 * (`bench scale`), 6,199/s were accepted and processed for long (`bench accept`, sustained). Half of that is 0.26; a little
 * more is asked for here.
 */
const LOAD_SHARE = 0.32;

/** One part of the run, and what each process held at its end. */
interface Segment {
  endedAtSeconds: number;
  sent: number;
  latency: LatencySummary;
  holdings: ProcessHoldings[];
  voidBecause: string | undefined;
}

/** DESIGN, section 10: ten minutes at half load leave memory and latency where they were. */
export const soakBenchmark = defineBenchmark({
  name: "soak",
  summary: "memory, file descriptors and latency over ten minutes at half load",
  about: [
    "Starts a hub by its own `start` with defaults and sends webhooks of 1 KB at half of the rate that it can accept and",
    "process for long, a third of what its workers alone drain. After each part of the run: resident memory and file",
    "descriptors of every process, and the latency of that part; all of it must have become receipts. Receipts, log rows",
    "and remembered event ids are removed between the parts, so that what grows is what is lost. Quick look:",
    "--seconds 15 --segments 3 --rate 500",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    console.log("Starting the hub");
    const hub = await startHub();
    const stores = openStores(readServices(hub));
    try {
      const endpoints = await createSenders(hub);
      const ratePerSecond = flags.rate || (await halfLoad(hub, stores, endpoints));
      console.log(`${ratePerSecond}/s for ${flags.seconds} s in ${flags.segments} parts:`);
      const segments: Segment[] = [];
      for (let index = 0; index < flags.segments; index++) {
        const segment = await runSegment({
          hub,
          stores,
          endpoints,
          ratePerSecond,
          seconds: flags.seconds / flags.segments,
          connections: flags.connections,
          startedAtSeconds: (flags.seconds / flags.segments) * index,
        });
        console.log(describeSegment(segment));
        segments.push(segment);
      }
      const sections = reportSections(segments, ratePerSecond);
      console.log(`\n${sections.join("\n\n")}`);
      await publishResult({
        name: "soak",
        sections,
        data: { ratePerSecond, segments },
        verdict: verdictOf(segments, flags.seconds, ratePerSecond),
      });
    } finally {
      await stores.close();
      await hub.stop();
    }
  },
});

async function halfLoad(
  hub: HubUnderTest,
  stores: HubStores,
  endpoints: readonly LoadEndpoint[],
): Promise<number> {
  const before = await stores.books();
  holdWorkers(hub, true);
  await fillBacklog(hub, endpoints, PROBE_ENTRIES, BODY_BYTES);
  const { perSecond } = await measureDrain(hub, stores);
  await settleHub(stores, before);
  return Math.round(perSecond * LOAD_SHARE);
}

async function runSegment(plan: {
  hub: HubUnderTest;
  stores: HubStores;
  endpoints: readonly LoadEndpoint[];
  ratePerSecond: number;
  seconds: number;
  connections: number;
  startedAtSeconds: number;
}): Promise<Segment> {
  const { hub, stores, seconds } = plan;
  const before = await stores.books();
  const report = await driveLoad({
    baseUrl: hub.baseUrl,
    endpoints: plan.endpoints,
    ratePerSecond: plan.ratePerSecond,
    seconds,
    connections: plan.connections,
    bodyBytes: BODY_BYTES,
    timeoutMs: 10_000,
  });
  const holdings = readHoldings(hub.pid);
  const { stored, fault } = await settleHub(stores, before);
  const isWhole = report.sent === report.answered2xx && report.sent === stored && report.unsent === 0;
  return {
    endedAtSeconds: plan.startedAtSeconds + seconds,
    sent: report.sent,
    latency: report.latency,
    holdings,
    voidBecause:
      fault ??
      (isWhole
        ? undefined
        : `${report.sent} sent, ${report.answered2xx} answered with 2xx, ${stored} stored`),
  };
}

const MIB = 1024 * 1024;

function describeSegment({ endedAtSeconds, latency, holdings, voidBecause }: Segment): string {
  const held = holdings.map(
    ({ name, residentBytes, fileDescriptors }) =>
      `${name}: ${Math.round(residentBytes / MIB)} MiB, ${fileDescriptors} fd`,
  );
  return (
    `  ${Math.round(endedAtSeconds).toString().padStart(6)} s  p50 ${latency.p50Ms.toFixed(2)} p99 ${latency.p99Ms.toFixed(2)} ms  ${held.join("; ")}` +
    (voidBecause === undefined ? "" : `  VOID: ${voidBecause}`)
  );
}

/** How one figure moved from the part that ends the warm-up to the last one. */
interface Drift {
  name: string;
  from: number;
  to: number;
}

/** Compilers, caches and connection pools fill in the first fifth of a run. */
const WARM_UP_SHARE = 0.2;

function driftsOf(segments: readonly Segment[]): {
  memory: Drift[];
  descriptors: Drift[];
  latency: { p50: Drift; p99: Drift };
} {
  const from = segments[Math.min(segments.length - 1, Math.ceil(segments.length * WARM_UP_SHARE))]!;
  const to = segments.at(-1)!;
  // A process that came or went in between has no drift; the table of the parts shows it.
  const pairs = from.holdings.flatMap((first) => {
    const last = to.holdings.find(({ name }) => name === first.name);
    return last === undefined ? [] : [{ name: first.name, first, last }];
  });
  return {
    memory: pairs.map(({ name, first, last }) => ({
      name,
      from: first.residentBytes,
      to: last.residentBytes,
    })),
    descriptors: pairs.map(({ name, first, last }) => ({
      name,
      from: first.fileDescriptors,
      to: last.fileDescriptors,
    })),
    latency: {
      p50: { name: "p50", from: from.latency.p50Ms, to: to.latency.p50Ms },
      p99: { name: "p99", from: from.latency.p99Ms, to: to.latency.p99Ms },
    },
  };
}

function reportSections(segments: readonly Segment[], ratePerSecond: number): string[] {
  const { memory, descriptors } = driftsOf(segments);
  const processes = formatTable(
    ["process", "MiB after warm-up", "MiB at end", "ratio", "fd after warm-up", "fd at end"],
    memory.map(({ name, from, to }, index): Cell[] => [
      name,
      from / MIB,
      to / MIB,
      to / from,
      descriptors[index]!.from,
      descriptors[index]!.to,
    ]),
  );
  const latency = formatTable(
    ["until second", "sent", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "processes"],
    segments.map(({ endedAtSeconds, sent, latency: { p50Ms, p99Ms, p999Ms, maxMs }, holdings }): Cell[] => [
      Math.round(endedAtSeconds),
      sent,
      p50Ms,
      p99Ms,
      p999Ms,
      maxMs,
      holdings.length,
    ]),
  );
  const voided = segments.filter(({ voidBecause }) => voidBecause !== undefined);
  return [
    `${ratePerSecond} webhooks of 1 KB a second, open loop.`,
    processes,
    latency,
    voided.length === 0
      ? "Every part counts: distinct ids = 2xx = receipts."
      : `Void parts: ${voided.map((segment) => `${Math.round(segment.endedAtSeconds)} s: ${segment.voidBecause}`).join("; ")}.`,
  ];
}

function verdictOf(
  segments: readonly Segment[],
  seconds: number,
  ratePerSecond: number,
): Record<string, unknown> {
  const { memory, descriptors, latency } = driftsOf(segments);
  const ratio = ({ from, to }: Drift): number => rounded(to / from, 3);
  return {
    bench: "soak",
    seconds,
    rate: ratePerSecond,
    residentRatio: Object.fromEntries(memory.map((drift) => [drift.name, ratio(drift)])),
    descriptorsAdded: Object.fromEntries(descriptors.map(({ name, from, to }) => [name, to - from])),
    p50Ratio: ratio(latency.p50),
    p99Ratio: ratio(latency.p99),
    void: segments.filter(({ voidBecause }) => voidBecause !== undefined).length,
  };
}
