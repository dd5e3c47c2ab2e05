import type { Histogram } from "hdr-histogram-js";
import { createLatencyHistogram, type LatencySummary, recordLatency, summarizeLatencies } from "./latency.ts";

/** What arrived at one path of the sink since the last `take`. */
export interface Arrivals {
  distinct: number;
  repeated: number;
  /** From the sending of the webhook to its arrival here. */
  latency: LatencySummary;
}

/** An internal service that takes what the hub routes to it and looks at the clock. */
export interface TargetSink {
  url(path: string): string;
  /** Address that takes requests and never answers. */
  hangingUrl: string;
  /** Distinct events that have arrived at a path. */
  count(path: string): number;
  /** The arrivals at a path; begins a new count. */
  take(path: string): Arrivals;
  stop(): Promise<void>;
}

/** The benchmark's bodies carry both; a transformation must keep them. */
const EVENT = /"id":"([^"]+)"/;
const SENT_AT = /"occurredAt":"([^"]+)"/;

const HANGING_PATH = "/hang";

interface Counter {
  ids: Set<string>;
  repeated: number;
  histogram: Histogram;
}

export function startTargetSink(): TargetSink {
  const counters = new Map<string, Counter>();
  const counterOf = (path: string): Counter => {
    let counter = counters.get(path);
    if (counter === undefined) {
      counter = { ids: new Set(), repeated: 0, histogram: createLatencyHistogram() };
      counters.set(path, counter);
    }
    return counter;
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    // Longer than any processing time of the hub: it is the hub that has to give up.
    idleTimeout: 120,
    async fetch(request) {
      if (new URL(request.url).pathname === HANGING_PATH) return new Promise<Response>(() => undefined);
      const text = await request.text();
      const counter = counterOf(new URL(request.url).pathname);
      const id = EVENT.exec(text)?.[1];
      const sentAt = SENT_AT.exec(text)?.[1];
      if (id === undefined || sentAt === undefined) return new Response(null, { status: 400 });
      if (counter.ids.has(id)) counter.repeated++;
      counter.ids.add(id);
      recordLatency(counter.histogram, Date.now() - Date.parse(sentAt));
      return new Response(null, { status: 204 });
    },
  });
  return {
    hangingUrl: `http://127.0.0.1:${server.port}${HANGING_PATH}`,
    url: (path) => `http://127.0.0.1:${server.port}${path}`,
    count: (path) => counterOf(path).ids.size,
    take: (path) => {
      const { ids, repeated, histogram } = counterOf(path);
      counters.delete(path);
      return { distinct: ids.size, repeated, latency: summarizeLatencies(histogram) };
    },
    stop: () => server.stop(true),
  };
}
