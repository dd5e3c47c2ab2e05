/**
 * The receiver of the delivery benchmarks: every contender delivers to this one process. The path says how it behaves:
 * `/ok/…` answers at once, `/slow/<ms>/…` later, `/fail/…` with 500, `/hang/…` not before the next reset.
 * `GET /_counts` shows what arrived since the last `POST /_reset`, or `POST /_forget/ok` for one behaviour;
 * `GET /_distinct/ok` only how many ids.
 *
 * Environment: PORT.
 */
import { createLatencyHistogram, encodeLatencies, recordLatency } from "../support/latency.ts";

/** The benchmark's bodies carry when they were published, in milliseconds since the epoch. */
const PUBLISHED_AT = /"publishedAt":(\d+(?:\.\d+)?)/;

interface Group {
  ids: Set<string>;
  repeated: number;
  latencies: ReturnType<typeof createLatencyHistogram>;
}

const groups = new Map<string, Group>();
let release = Promise.withResolvers<void>();

function groupOf(name: string): Group {
  let group = groups.get(name);
  if (group === undefined) {
    group = { ids: new Set(), repeated: 0, latencies: createLatencyHistogram() };
    groups.set(name, group);
  }
  return group;
}

function counts(): unknown {
  return Object.fromEntries(
    [...groups].map(([name, { ids, repeated, latencies }]) => [
      name,
      { distinct: ids.size, repeated, latencies: encodeLatencies(latencies) },
    ]),
  );
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"]),
  development: false,
  idleTimeout: 0,
  async fetch(request) {
    const arrivedMs = performance.timeOrigin + performance.now();
    const path = request.url.slice(request.url.indexOf("/", 8));
    if (path === "/_counts") return Response.json(counts());
    if (path === "/_reset") {
      groups.clear();
      release.resolve();
      release = Promise.withResolvers();
      return new Response(null, { status: 204 });
    }
    const [, behaviour, detail] = path.split("/");
    if (behaviour === "_distinct") return new Response(String(groups.get(detail!)?.ids.size ?? 0));
    if (behaviour === "_forget") {
      groups.delete(detail!);
      return new Response(null, { status: 204 });
    }
    const group = groupOf(behaviour!);
    const text = await request.text();
    const id = request.headers.get("webhook-id") ?? "";
    if (group.ids.has(id)) group.repeated++;
    group.ids.add(id);
    const publishedMs = Number(PUBLISHED_AT.exec(text)?.[1] ?? arrivedMs);
    recordLatency(group.latencies, arrivedMs - publishedMs);
    if (behaviour === "slow") await Bun.sleep(Number(detail));
    if (behaviour === "hang") await release.promise;
    return new Response(null, { status: behaviour === "fail" || behaviour === "hang" ? 500 : 204 });
  },
});

process.on("SIGTERM", () => {
  void server.stop(true).then(() => process.exit(0));
});
console.log("ready");
