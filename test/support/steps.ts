/** One step of a test run: a check that passes or fails as a whole, or test files of which each test counts. */
export interface Step {
  name: string;
  kind: "check" | "tests";
  /** For a check: the program in node_modules/.bin with its arguments. For tests: files and folders below the project. */
  args: readonly string[];
  /** Files with this in their name are taken as well. */
  named?: string;
  /** Folders below `args` that another step runs. */
  except?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Files that run at the same time, each in a process of its own; one when not said. */
  parallel?: number;
  timeoutMs: number;
}

const MINUTE_MS = 60_000;

/** Folders whose tests start whole hubs and load both cores: run after everything else. */
const HEAVY = [
  "test/start",
  "test/e2e",
  "test/canary",
  "test/scale",
  "test/faults",
  "test/kill",
  "test/long",
];

const CHECKS: readonly Step[] = [
  { name: "types", kind: "check", args: ["tsc", "--noEmit"], timeoutMs: 3 * MINUTE_MS },
  { name: "lint", kind: "check", args: ["oxlint", "--deny-warnings"], timeoutMs: MINUTE_MS },
  { name: "format", kind: "check", args: ["oxfmt", "--check", "."], timeoutMs: MINUTE_MS },
  {
    name: "architecture",
    kind: "tests",
    args: ["test/architecture", "test/checklist.test.ts"],
    timeoutMs: 2 * MINUTE_MS,
  },
];

const INTEGRATION: Step = {
  name: "unit and integration",
  kind: "tests",
  args: ["test"],
  except: ["test/architecture", "test/checklist.test.ts", ...HEAVY],
  parallel: 2,
  timeoutMs: 8 * MINUTE_MS,
};

/** What touches several keys in one script or reads a stream, once more where keys live on three masters. */
const CLUSTER_SMOKE: Step = {
  name: "Redis Cluster",
  kind: "tests",
  args: ["test/inbound/accept.test.ts", "test/inbound/worker.test.ts", "test/streams"],
  named: ".cluster-smoke.",
  env: { TEST_REDIS: "cluster" },
  parallel: 2,
  timeoutMs: 4 * MINUTE_MS,
};

const heavy = (name: string, folder: string, minutes: number, env: Record<string, string> = {}): Step => ({
  name,
  kind: "tests",
  args: [folder],
  env,
  timeoutMs: minutes * MINUTE_MS,
});

const WHOLE_HUB: readonly Step[] = [
  heavy("start", "test/start", 4),
  heavy("end to end", "test/e2e", 4),
  heavy("canaries", "test/canary", 4),
  heavy("several processes", "test/scale", 4),
  // They wait more than they compute: for outages to end, and for the hub to notice.
  { ...heavy("faults", "test/faults", 6), parallel: 2 },
];

/** `bun run test` */
export const TEST_STEPS: readonly Step[] = [
  ...CHECKS,
  INTEGRATION,
  CLUSTER_SMOKE,
  ...WHOLE_HUB,
  heavy("kill rounds", "test/kill/kill-rounds.test.ts", 5),
  heavy("outbound kill rounds", "test/kill/outbound-rounds.test.ts", 5),
];

/** `bun run test:long` */
export const LONG_STEPS: readonly Step[] = [
  ...CHECKS,
  { ...INTEGRATION, env: { WAITING_DELIVERIES: "100000" } },
  {
    ...INTEGRATION,
    name: "unit and integration on Redis Cluster",
    env: { TEST_REDIS: "cluster", WAITING_DELIVERIES: "100000" },
    timeoutMs: 20 * MINUTE_MS,
  },
  ...WHOLE_HUB,
  { ...heavy("long", "test/long", 10), except: ["test/long/outbound"] },
  heavy("long outbound", "test/long/outbound", 20),
  heavy("kill rounds", "test/kill/kill-rounds.test.ts", 40, {
    KILL_ROUNDS: process.env["KILL_ROUNDS"] ?? "200",
  }),
  heavy("outbound kill rounds", "test/kill/outbound-rounds.test.ts", 20, {
    OUTBOUND_KILL_ROUNDS: process.env["OUTBOUND_KILL_ROUNDS"] ?? "10",
    OUTBOUND_KILL_EVENTS: process.env["OUTBOUND_KILL_EVENTS"] ?? "20000",
  }),
];
