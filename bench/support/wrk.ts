import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { unpackDebianPackages } from "../../src/platform/services/debian-packages.ts";
import type { LoadEndpoint } from "./load-endpoint.ts";
import { loadStatusBody, requestWriterOf } from "./sign-webhook.ts";

/** Result of one closed-loop run. Times in microseconds. */
export interface WrkReport {
  /** Distinct ids that were put on the wire. */
  issued: number;
  /** Complete answers with a 2xx status. */
  answered2xx: number;
  not2xx: number;
  socketErrors: number;
  timeouts: number;
  durationMicros: number;
  ratePerSecond: number;
  p50Micros: number;
  p99Micros: number;
  /** CPU time of wrk itself. */
  cpuMicros: number;
}

/** Place of the event id in a prepared request; as long as the ids that the script puts there. */
const ID_PLACE = "@".repeat(20);

/** Requests prepared in all: enough that no endpoint repeats a body within a batch, 3 MB in memory. */
const PREPARED_REQUESTS = 1600;

/** The program and what it needs in its environment. */
export interface WrkProgram {
  file: string;
  env: Record<string, string>;
}

/** Where Debian's package is unpacked when wrk is not installed; kept for the next run. */
const UNPACKED = resolve(import.meta.dir, "../../node_modules/.cache/hub-bench/wrk");

const PROXY_VARIABLES = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/**
 * Makes sure that wrk can be run: from PATH, else Debian's package, unpacked beside the project's own packages.
 *
 * @throws Error saying what to install
 */
export async function provideWrk(): Promise<WrkProgram> {
  const installed = Bun.which("wrk");
  if (installed) return { file: installed, env: {} };
  const file = join(UNPACKED, "usr/bin/wrk");
  const libraries = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((name) => join(UNPACKED, "usr/lib", name));
  const unpacked = { file, env: { LD_LIBRARY_PATH: libraries.join(":") } };
  if (existsSync(file)) return unpacked;
  console.log("wrk is not installed: unpacking Debian's package");
  try {
    await mkdir(dirname(UNPACKED), { recursive: true });
    await unpackDebianPackages({
      packages: ["wrk"],
      directory: UNPACKED,
      environment: Object.fromEntries(
        PROXY_VARIABLES.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
      ),
    });
    return unpacked;
  } catch (error) {
    throw new Error("Cannot run this benchmark without wrk: install it (Debian: apt-get install wrk)", {
      cause: error,
    });
  }
}

/**
 * Prepares signed requests for the script: equal shares of the endpoints in turn, bodies of `bodyBytes`. Only for
 * schemes that sign the body alone, because the script puts the id into a header.
 *
 * @param path file to write
 */
export async function prepareRequests(
  endpoints: readonly LoadEndpoint[],
  host: string,
  bodyBytes: number,
  path: string,
): Promise<void> {
  const writers = endpoints.map((endpoint) => requestWriterOf(endpoint, host));
  const nowMs = Date.now();
  const requests: string[] = [];
  for (let sequence = 0; sequence < PREPARED_REQUESTS; sequence++) {
    const body = loadStatusBody(`body-${sequence}`, sequence, nowMs, bodyBytes);
    requests.push(writers[sequence % writers.length]!(ID_PLACE, body, nowMs));
  }
  await writeFile(path, requests.join("\0"));
}

export interface WrkRun {
  program: WrkProgram;
  baseUrl: string;
  requestsFile: string;
  connections: number;
  seconds: number;
}

/**
 * One closed-loop run: so many connections, each sending as soon as it is answered. One thread, because a second one
 * would take half of a small machine from the server.
 *
 * @throws Error with wrk's own words when it fails
 */
export async function runWrk(run: WrkRun): Promise<WrkReport> {
  const prefix = crypto.randomUUID().slice(0, 8);
  const child = Bun.spawn(
    [
      run.program.file,
      "-t1",
      `-c${run.connections}`,
      `-d${run.seconds}s`,
      "--timeout=5s",
      "-s",
      join(import.meta.dir, "wrk-webhooks.lua"),
      run.baseUrl,
      "--",
      run.requestsFile,
      prefix,
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...run.program.env } },
  );
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const line = output
    .split("\n")
    .reverse()
    .find((candidate) => candidate.startsWith("{"));
  if (code !== 0 || line === undefined) throw new Error(`wrk failed (${code}): ${errors}${output}`);
  const result = JSON.parse(line) as Record<string, number>;
  const answered2xx = result["answered"]! - result["not2xx"]!;
  return {
    issued: result["issued"]!,
    answered2xx,
    not2xx: result["not2xx"]!,
    socketErrors: result["connectErrors"]! + result["readErrors"]! + result["writeErrors"]!,
    timeouts: result["timeouts"]!,
    durationMicros: result["durationMicros"]!,
    ratePerSecond: (answered2xx * 1e6) / result["durationMicros"]!,
    p50Micros: result["p50Micros"]!,
    p99Micros: result["p99Micros"]!,
    cpuMicros: Number(child.resourceUsage()?.cpuTime.total ?? 0),
  };
}
