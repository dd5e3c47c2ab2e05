import postgres from "postgres";
import { insertProvider, keyManifest } from "../test/integrations/test-provider.ts";
import { deriveRoleUrls } from "../src/platform/postgres/roles.ts";
import { defineBenchmark } from "./support/benchmark.ts";
import { wholeNumber } from "./support/command-line.ts";
import {
  callHub,
  createTenant,
  type HubUnderTest,
  hubProcesses,
  readServices,
  startHub,
} from "./support/hub-under-test.ts";
import { startNginxPeer } from "./support/nginx-proxy.ts";
import { type Peer, startPeer } from "./support/peer-process.ts";
import { CpuMeter, type ProcessGroups } from "./support/process-cpu.ts";
import { publishResult } from "./support/results.ts";
import { runSteadyCalls, type SteadyReport } from "./support/steady-calls.ts";
import { type Cell, formatTable, median, rounded } from "./support/table.ts";
import { provideWrk, type WrkProgram } from "./support/wrk.ts";

const FLAGS = {
  rounds: wholeNumber("alternating rounds; the median counts", { hint: "n", fallback: 5, min: 1, max: 50 }),
  seconds: wholeNumber("length of each run", { hint: "n", fallback: 5, min: 1, max: 60 }),
  connections: wholeNumber("connections of the closed loop", { hint: "n", fallback: 64, min: 1, max: 200 }),
  rate: wholeNumber("calls a second of the open loop", { hint: "n", fallback: 2_000, min: 10, max: 50_000 }),
};

const KEY = "bench-key-that-is-long-enough";
const CREDENTIAL = `Key ${KEY}`;
const WARM_UP_SECONDS = 2;
const LOGS_TIMEOUT_MS = 60_000;
const GATE = 0.5;
const GATE_P50_MS = 1;
const GATE_P99_MS = 5;
/** The provider is on loopback, which no call may reach by default. */
const OVERRIDES = { EGRESS_ALLOW_CIDRS: "127.0.0.1", EGRESS_ALLOW_HTTP: "true" };

interface Contender {
  name: string;
  url: string;
  headers: Record<string, string>;
  /** Each of its calls has a row in Postgres. */
  writesRows: boolean;
  processes(): ProcessGroups;
}

interface Run {
  contender: string;
  round: number;
  perSecond: number;
  cpuMicrosPerCall: Record<string, number>;
  open: SteadyReport;
}

/** DESIGN: a call through the gateway against a bare proxy. Everything runs on loopback and stops by itself. */
export const gatewayBenchmark = defineBenchmark({
  name: "gateway",
  summary: "calls out: rate and latency against Elysia + fetch with nothing else, and nginx",
  about: [
    "Starts a hub by its own `start` on data of its own and an API on loopback that answers 1 KB. Calls go through the",
    "hub's proxy (key, limits, circuit, credential, log row), in turn with a proxy of Elysia and `fetch` that has none",
    "of these, with the same that only writes the hub's log row, and with nginx where it is installed. Closed loop by",
    "wrk, then a steady rate whose latencies count from the intended times. A run of a contender that writes rows counts",
    "only when each call has its row.",
    "Quick look: --rounds 1 --seconds 2",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const wrk = await provideWrk();
    console.log("Starting the hub");
    const hub = await startHub(OVERRIDES);
    const provider = await startPeer(process.execPath, "api-provider.ts", { CREDENTIAL });
    const bare = await startPeer(process.execPath, "elysia-fetch.ts", {
      TARGET: provider.baseUrl,
      CREDENTIAL,
    });
    const nginx = await startNginxPeer(provider.baseUrl, CREDENTIAL);
    const { databaseUrl, encryptionKey } = readServices(hub);
    // The owner sees no tenant's rows.
    const { systemUrl } = deriveRoleUrls(databaseUrl, encryptionKey);
    const sql = postgres(systemUrl, { max: 1, onnotice: () => undefined });
    let rows: Peer | undefined;
    try {
      const path = `/api/v1/integrations/${crypto.randomUUID()}/proxy/v1/me`;
      const { tenantId, integrationId, contender: ofHub } = await hubContender(hub, sql, provider.baseUrl);
      rows = await startPeer(process.execPath, "elysia-fetch-rows.ts", {
        TARGET: provider.baseUrl,
        CREDENTIAL,
        DATABASE_URL: systemUrl,
        TENANT_ID: tenantId,
        INTEGRATION_ID: integrationId,
      });
      const contenders = [ofHub, rowsContender(hub, rows, path), bareContender(BARE, bare, path)];
      if (nginx !== undefined) contenders.push(bareContender("nginx", nginx, path));
      const runs: Run[] = [];
      for (const contender of contenders) await runWrk(wrk, contender, WARM_UP_SECONDS, flags.connections);
      for (let round = 1; round <= flags.rounds; round++) {
        for (const contender of contenders) {
          const run = await measure(wrk, contender, { ...flags, round, sql });
          console.log(
            `  round ${round}  ${contender.name.padEnd(20)} ${Math.round(run.perSecond)} calls/s` +
              `  at ${flags.rate}/s p50 ${run.open.latency.p50Ms} ms p99 ${run.open.latency.p99Ms} ms`,
          );
          runs.push(run);
        }
      }
      const names = contenders.map(({ name }) => name);
      const sections = [reportTable(names, runs)];
      console.log(`\n${sections.join("\n\n")}`);
      await publishResult({ name: "gateway", sections, data: { runs }, verdict: verdictOf(runs) });
    } finally {
      await rows?.stop();
      await sql.end({ timeout: 5 });
      await nginx?.stop();
      await bare.stop();
      await provider.stop();
      await hub.stop();
    }
  },
});

const HUB = "hub";
const BARE = "Elysia + fetch";

function rowsContender(hub: HubUnderTest, peer: Peer, path: string): Contender {
  return {
    name: "Elysia + fetch + row",
    url: peer.baseUrl + path,
    headers: {},
    writesRows: true,
    processes: () => ({ edge: [peer.pid], postgres: hubProcesses(hub)["postgres"] ?? [] }),
  };
}

function bareContender(name: string, peer: { pid: number; baseUrl: string }, path: string): Contender {
  return {
    name,
    url: peer.baseUrl + path,
    headers: {},
    writesRows: false,
    processes: () => ({ edge: [peer.pid] }),
  };
}

async function hubContender(
  hub: HubUnderTest,
  sql: postgres.Sql,
  target: string,
): Promise<{ tenantId: string; integrationId: string; contender: Contender }> {
  const tenant = await createTenant(hub, "gateway");
  await insertProvider(
    sql,
    tenant.id,
    keyManifest(target, {
      quotas: [{ name: "minute", limit: 100_000_000, windowSeconds: 60, scope: "integration" }],
    }),
  );
  const { id, status } = await callHub<{ id: string; status: string }>(hub, tenant, {
    method: "POST",
    path: "/api/v1/integrations",
    body: { providerCode: "ACME", name: "bench", config: { apiKey: KEY } },
  });
  if (status !== "ACTIVE") throw new Error(`The integration is ${status}`);
  const contender: Contender = {
    name: HUB,
    url: `${hub.baseUrl}/api/v1/integrations/${id}/proxy/v1/me`,
    headers: { authorization: `Bearer ${tenant.apiKey}` },
    writesRows: true,
    processes: () => hubProcesses(hub),
  };
  return { tenantId: tenant.id, integrationId: id, contender };
}

async function measure(
  wrk: WrkProgram,
  contender: Contender,
  plan: { round: number; seconds: number; connections: number; rate: number; sql: postgres.Sql },
): Promise<Run> {
  const before = contender.writesRows ? await logRows(plan.sql) : 0;
  const meter = new CpuMeter(contender.processes());
  const closed = await runWrk(wrk, contender, plan.seconds, plan.connections);
  const cpuMicros = meter.read();
  const { url, headers } = contender;
  const open = await runSteadyCalls({ url, headers, ratePerSecond: plan.rate, seconds: plan.seconds });
  if (open.failed > 0 || open.unsent > 0)
    throw new Error(`${contender.name}: ${open.failed} calls failed, ${open.unsent} could not be sent`);
  // What wrk had under way when it stopped may have been made too.
  const answered = closed.answered + open.sent;
  if (contender.writesRows) await waitForRows(plan.sql, before + answered, plan.connections);
  return {
    contender: contender.name,
    round: plan.round,
    perSecond: closed.answered / closed.seconds,
    cpuMicrosPerCall: Object.fromEntries(
      Object.entries(cpuMicros).map(([group, micros]) => [group, rounded(micros / closed.answered, 1)]),
    ),
    open,
  };
}

async function runWrk(
  { file, env }: WrkProgram,
  { name, url, headers }: Contender,
  seconds: number,
  connections: number,
): Promise<{ answered: number; seconds: number }> {
  const given = Object.entries(headers).flatMap(([header, value]) => ["-H", `${header}: ${value}`]);
  const child = Bun.spawn([file, "-t", "1", "-c", String(connections), "-d", `${seconds}s`, ...given, url], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = await new Response(child.stdout).text();
  await child.exited;
  const counted = /(\d+) requests in ([\d.]+)(m?s)/.exec(output);
  if (counted === null || /Non-2xx|Socket errors/.test(output)) throw new Error(`${name}: ${output}`);
  return { answered: Number(counted[1]), seconds: Number(counted[2]) / (counted[3] === "ms" ? 1_000 : 1) };
}

async function logRows(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<
    { count: string }[]
  >`select count(*) from api_request_logs where direction = 'OUTBOUND'`;
  return Number(row!.count);
}

/** Each call has its row: none is missing, and no more are there than were under way at the end. */
async function waitForRows(sql: postgres.Sql, expected: number, slack: number): Promise<void> {
  const deadlineMs = Date.now() + LOGS_TIMEOUT_MS;
  let rows = await logRows(sql);
  for (; rows < expected && Date.now() < deadlineMs; rows = await logRows(sql)) await Bun.sleep(200);
  if (rows < expected || rows > expected + slack) throw new Error(`${expected} calls, ${rows} log rows`);
}

function middle(runs: readonly Run[], contender: string, pick: (run: Run) => number): number {
  return median(runs.filter((run) => run.contender === contender).map(pick));
}

function reportTable(names: readonly string[], runs: readonly Run[]): string {
  const rows = names.map((name): Cell[] => [
    name,
    Math.round(middle(runs, name, ({ perSecond }) => perSecond)),
    rounded(
      middle(runs, name, ({ perSecond }) => perSecond) / middle(runs, BARE, ({ perSecond }) => perSecond),
      2,
    ),
    middle(runs, name, ({ open }) => open.latency.p50Ms),
    middle(runs, name, ({ open }) => open.latency.p99Ms),
    middle(runs, name, ({ cpuMicrosPerCall }) => cpuMicrosPerCall["edge"] ?? 0),
    middle(runs, name, ({ cpuMicrosPerCall }) => cpuMicrosPerCall["redis"] ?? 0),
    middle(runs, name, ({ cpuMicrosPerCall }) => cpuMicrosPerCall["postgres"] ?? 0),
  ]);
  return formatTable(
    ["contender", "calls/s", "of bare", "open p50 ms", "open p99 ms", "proxy µs", "Redis µs", "Postgres µs"],
    rows,
  );
}

function verdictOf(runs: readonly Run[]): Record<string, unknown> {
  const of = (name: string, pick: (run: Run) => number): number => middle(runs, name, pick);
  const ratio = of(HUB, ({ perSecond }) => perSecond) / of(BARE, ({ perSecond }) => perSecond);
  const added = of(HUB, ({ open }) => open.latency.p50Ms) - of(BARE, ({ open }) => open.latency.p50Ms);
  const p99Ms = of(HUB, ({ open }) => open.latency.p99Ms);
  return {
    benchmark: "gateway",
    ofBare: rounded(ratio, 3),
    gateOfBare: GATE,
    addedP50Ms: rounded(added, 3),
    p99Ms: rounded(p99Ms, 3),
    passed: ratio >= GATE && added <= GATE_P50_MS && p99Ms <= GATE_P99_MS,
  };
}
