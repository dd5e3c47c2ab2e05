import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Benchmark } from "./support/benchmark.ts";
import { describeFlags, readFlags, UsageError } from "./support/command-line.ts";

/** Benchmarks by name. Loaded on demand, because they import packages that `start` does not install. */
const BENCHMARKS: Readonly<Record<string, { summary: string; load: () => Promise<Benchmark> }>> = {
  accept: {
    summary: "inbound webhooks: rate and latency against bare Bun.serve and Fastify + BullMQ",
    load: async () => (await import("./accept.bench.ts")).acceptBenchmark,
  },
  load: {
    summary: "signed webhooks at a steady rate against any deployment (the load-test tool)",
    load: async () => (await import("./load.bench.ts")).loadBenchmark,
  },
  "neighbours-in": {
    summary: "good senders' latency while one neighbour hangs, floods, or sends poison",
    load: async () => (await import("./neighbours-in.bench.ts")).neighboursInBenchmark,
  },
  deliver: {
    summary: "events to signed deliveries: rate and latency against a bare fetch loop and BullMQ",
    load: async () => (await import("./deliver.bench.ts")).deliverBenchmark,
  },
  "neighbours-out": {
    summary: "good receivers' latency while 1, 10 or 30 of 100 hang, fail or are slow",
    load: async () => (await import("./neighbours-out.bench.ts")).neighboursOutBenchmark,
  },
  limiter: {
    summary: "calls out: accuracy and rate of the admission script with 4 processes",
    load: async () => (await import("./limiter.bench.ts")).limiterBenchmark,
  },
  gateway: {
    summary: "calls out: rate and latency against Elysia + fetch with nothing else, and nginx",
    load: async () => (await import("./gateway.bench.ts")).gatewayBenchmark,
  },
  transform: {
    summary: "documents mapped a second: rules, JSONata, X12, streams of CSV and XML",
    load: async () => (await import("./transform.bench.ts")).transformBenchmark,
  },
  backlog: {
    summary: "accept rate, memory and drain rate with 1 k to 1 M webhooks waiting",
    load: async () => (await import("./backlog.bench.ts")).backlogBenchmark,
  },
  soak: {
    summary: "memory, file descriptors and latency over ten minutes at half load",
    load: async () => (await import("./soak.bench.ts")).soakBenchmark,
  },
  scale: {
    summary: "accept and drain rate with 1, 2 and 4 edge and worker processes",
    load: async () => (await import("./scale.bench.ts")).scaleBenchmark,
  },
};

const PROJECT = resolve(import.meta.dir, "..");

/** Packages that only tests and benchmarks need; one of each kind shows whether all are there. */
const NEEDED_PACKAGES = ["hdr-histogram-js", "autocannon", "bullmq", "fastify", "ioredis", "postgres"];

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(listOfBenchmarks());
    return name === undefined ? 2 : 0;
  }
  const entry = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (entry === undefined) {
    console.error(`There is no benchmark "${name}".\n\n${listOfBenchmarks()}`);
    return 2;
  }
  if (!(await installPackages())) return 1;
  const benchmark = await entry.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    console.log(helpOf(benchmark));
    return 0;
  }
  try {
    await benchmark.run(readFlags(benchmark.flags, rest));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${helpOf(benchmark)}`);
    return 2;
  }
}

function listOfBenchmarks(): string {
  const lines = Object.entries(BENCHMARKS).map(([name, { summary }]) => `  ${name.padEnd(16)} ${summary}`);
  return [
    "bun run bench <name> [flags]      one benchmark",
    "bun run bench <name> --help       what it measures, and its flags",
    "",
    ...lines,
  ].join("\n");
}

function helpOf(benchmark: Benchmark): string {
  return [
    `bun run bench ${benchmark.name} [flags]`,
    "",
    benchmark.about,
    "",
    describeFlags(benchmark.flags),
  ].join("\n");
}

async function installPackages(): Promise<boolean> {
  const missing = NEEDED_PACKAGES.filter((name) => !existsSync(join(PROJECT, "node_modules", name)));
  if (missing.length === 0) return true;
  console.log(`Installing the packages of benchmarks (${missing.join(", ")} …)`);
  const install = Bun.spawn([process.execPath, "install", "--frozen-lockfile"], {
    cwd: PROJECT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if ((await install.exited) === 0) return true;
  console.error(`Cannot install them: run "bun install" in ${PROJECT} and read what it says.`);
  return false;
}

// A signal alone would skip the exit handlers, by which servers and generators are ended with the benchmark.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
process.exitCode = await main(process.argv.slice(2));
