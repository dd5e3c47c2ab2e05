import { defineBenchmark } from "./support/benchmark.ts";
import {
  choice,
  optionalText,
  requiredText,
  toggle,
  UsageError,
  wholeNumber,
} from "./support/command-line.ts";
import { type ClosedLoopReport, runClosedLoop } from "./support/closed-loop.ts";
import { driveLoad, type LoadReport } from "./support/drive-load.ts";
import { type LoadEndpoint, SENDER_SCHEMES } from "./support/load-endpoint.ts";
import { publishResult } from "./support/results.ts";
import { HMAC_HEADER_DEFAULT, signerOf } from "./support/sign-webhook.ts";
import { formatTable, rounded } from "./support/table.ts";

const FLAGS = {
  url: requiredText("base URL of the deployment, for example http://127.0.0.1:8080", "url"),
  endpoint: requiredText("<tenant>/<path> of the inbound endpoint, or its whole URL path", "endpoint"),
  secret: requiredText("the endpoint's secret, as it was shown when the endpoint was made", "secret"),
  scheme: choice("how the endpoint's requests are signed", SENDER_SCHEMES, "github"),
  "signature-header": optionalText(
    `header of the signature for the scheme hmac (default ${HMAC_HEADER_DEFAULT})`,
    "name",
  ),
  rate: wholeNumber("requests a second, all in all", { hint: "n", fallback: 500, min: 1, max: 100_000 }),
  seconds: wholeNumber("length of the run", { hint: "n", fallback: 20, min: 1, max: 3600 }),
  connections: wholeNumber("connections kept open", { hint: "n", fallback: 64, min: 1, max: 10_000 }),
  "body-bytes": wholeNumber("size of each body", {
    hint: "n",
    fallback: 1024,
    min: 256,
    max: 25 * 1024 * 1024,
  }),
  "timeout-ms": wholeNumber("longest wait for one answer", {
    hint: "ms",
    fallback: 5000,
    min: 10,
    max: 60_000,
  }),
  processes: wholeNumber("generator processes; 0: one for each 15,000 requests a second", {
    hint: "n",
    fallback: 0,
    min: 0,
    max: 64,
  }),
  closed: toggle(
    "closed loop by autocannon: each connection sends as soon as it is answered; --rate is not used",
  ),
};

/**
 * The load test of the hub's users. Open loop: requests leave at their times whatever the server does, and latency
 * counts from the time at which a request was due. Ends by itself after `--seconds` and at most `--timeout-ms` more.
 */
export const loadBenchmark = defineBenchmark({
  name: "load",
  summary: "signed webhooks at a steady rate against any deployment",
  about: [
    "Sends signed webhooks with distinct ids and bodies to one endpoint of a running hub and reports latencies",
    "(HDR histogram, from the time at which a request was due), refusals and losses. Each event is stored and",
    "processed by the hub like any other: use an endpoint that is meant for it.",
    "",
    "  bun run bench load --url http://127.0.0.1:8080 --endpoint demo/orders --secret … --rate 2000 --seconds 30",
  ].join("\n"),
  flags: FLAGS,
  async run(flags) {
    const endpoint = endpointOf(flags);
    const baseUrl = baseUrlOf(flags.url);
    await probe(baseUrl, flags["timeout-ms"]);
    const target = { baseUrl, endpoint, connections: flags.connections, seconds: flags.seconds };
    const limits = { bodyBytes: flags["body-bytes"], timeoutMs: flags["timeout-ms"] };
    if (flags.closed) {
      console.log(`Closed loop: ${flags.connections} connections for ${flags.seconds} s`);
      const report = await runClosedLoop({ ...target, ...limits });
      await publishClosed(report);
      return;
    }
    console.log(
      `Open loop: ${flags.rate} requests/s for ${flags.seconds} s over ${flags.connections} connections`,
    );
    const report = await driveLoad({
      baseUrl,
      endpoints: [endpoint],
      connections: flags.connections,
      seconds: flags.seconds,
      ratePerSecond: flags.rate,
      ...limits,
      ...(flags.processes === 0 ? {} : { processes: flags.processes }),
      onProgress: ({ sent, answered }) => console.log(`  sent ${sent}, answered ${answered}`),
    });
    await publishOpen(report, flags.rate);
  },
});

function endpointOf(flags: {
  endpoint: string;
  scheme: LoadEndpoint["scheme"];
  secret: string;
  "signature-header": string | undefined;
}): LoadEndpoint {
  const name = flags.endpoint.replace(/^\/?(webhooks\/)?/, "");
  if (!/^[^/\s?#]+\/[A-Za-z0-9_-]{1,200}$/.test(name)) {
    throw new UsageError(`--endpoint must be <tenant>/<path>, not "${flags.endpoint}"`);
  }
  const endpoint: LoadEndpoint = {
    path: `/webhooks/${name}`,
    scheme: flags.scheme,
    secret: flags.secret,
    ...(flags["signature-header"] === undefined ? {} : { signatureHeader: flags["signature-header"] }),
  };
  try {
    signerOf(endpoint);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  return endpoint;
}

function baseUrlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new UsageError(`--url must begin with http:// or https://, not "${text}"`);
  }
  return url.origin + url.pathname.replace(/\/$/, "");
}

/** One request before the run, so that a wrong address is a sentence and not a table of errors. */
async function probe(baseUrl: string, timeoutMs: number): Promise<void> {
  try {
    const response = await fetch(`${baseUrl}/health/live`, {
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.arrayBuffer();
    if (!response.ok) console.log(`Note: ${baseUrl}/health/live answers ${response.status}`);
  } catch (error) {
    throw new UsageError(`Nothing answers at ${baseUrl}: ${(error as Error).message}`);
  }
}

async function publishOpen(report: LoadReport, ratePerSecond: number): Promise<void> {
  const { latency, lateness } = report;
  const generatorShare = report.generatorCpuMicros / (report.durationMs * 1000);
  const counts = formatTable(
    ["sent", "2xx", "429", "503", "other", "timeouts", "broken", "not sent", "2xx/s"],
    [
      [
        report.sent,
        report.answered2xx,
        report.answered429,
        report.answered503,
        report.other,
        report.timeouts,
        report.broken,
        report.unsent,
        report.achievedPerSecond,
      ],
    ],
  );
  const latencies = formatTable(
    ["ms", "p50", "p90", "p99", "p99.9", "max"],
    [
      ["answer", latency.p50Ms, latency.p90Ms, latency.p99Ms, latency.p999Ms, latency.maxMs],
      ["generator late", lateness.p50Ms, lateness.p90Ms, lateness.p99Ms, lateness.p999Ms, lateness.maxMs],
    ],
  );
  const generator =
    `Generator: ${report.generatorProcesses} process(es), ${(generatorShare * 100).toFixed(0)} % of a core. ` +
    `Statuses: ${JSON.stringify(report.byStatus)}; connections refused or lost while opening: ${report.connectErrors}.`;
  const sections = [counts, latencies, generator, ...adviceFor(report)];
  console.log(`\n${sections.join("\n\n")}`);
  await publishResult({
    name: "load",
    sections,
    data: report,
    verdict: {
      bench: "load",
      rate: ratePerSecond,
      achieved: rounded(report.achievedPerSecond, 1),
      sent: report.sent,
      ok: report.answered2xx,
      rejected429: report.answered429,
      rejected503: report.answered503,
      other: report.other,
      timeouts: report.timeouts,
      broken: report.broken,
      unsent: report.unsent,
      p50Ms: latency.p50Ms,
      p90Ms: latency.p90Ms,
      p99Ms: latency.p99Ms,
      p999Ms: latency.p999Ms,
      maxMs: latency.maxMs,
      generatorCpuShare: rounded(generatorShare, 3),
    },
  });
}

/** What the figures say about the run itself. */
function adviceFor(report: LoadReport): string[] {
  const advice: string[] = [];
  const has = (status: number): boolean => (report.byStatus[String(status)] ?? 0) > 0;
  if (has(401)) advice.push("401: the secret, the scheme or the signature header is not the endpoint's.");
  if (has(404)) advice.push("404: there is no such tenant or path.");
  if (has(410)) advice.push("410: the endpoint is disabled.");
  if (has(413)) advice.push("413: the bodies are larger than the endpoint's maxBodyBytes.");
  if (has(429)) advice.push("429: the endpoint's rateLimit refuses what exceeds it.");
  if (has(503)) advice.push("503: the hub is full or Redis is away; its /health/ready says which.");
  if (report.unsent > 0) {
    advice.push(
      "Not everything could be sent: the server was slower than the rate; more --connections may help.",
    );
  }
  if (report.lateness.p99Ms > 5) {
    advice.push(
      "The generator itself was late: lower the rate, raise --processes, or use a machine of its own.",
    );
  }
  return advice;
}

async function publishClosed(report: ClosedLoopReport): Promise<void> {
  const table = formatTable(
    ["requests", "2xx", "not 2xx", "errors", "timeouts", "2xx/s", "p50 ms", "p99 ms", "max ms"],
    [
      [
        report.sent,
        report.answered2xx,
        report.not2xx,
        report.errors,
        report.timeouts,
        report.achievedPerSecond,
        report.p50Ms,
        report.p99Ms,
        report.maxMs,
      ],
    ],
  );
  const note =
    "Closed loop: latencies hide what a stalled server would have made wait; use the open loop to judge latency.";
  console.log(`\n${table}\n\n${note}`);
  await publishResult({
    name: "load",
    sections: [table, note],
    data: report,
    verdict: {
      bench: "load",
      closed: true,
      achieved: rounded(report.achievedPerSecond, 1),
      ok: report.answered2xx,
      not2xx: report.not2xx,
      errors: report.errors,
      timeouts: report.timeouts,
      p50Ms: report.p50Ms,
      p99Ms: report.p99Ms,
    },
  });
}
