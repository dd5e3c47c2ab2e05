import { addLatencies, createLatencyHistogram, type LatencySummary, summarizeLatencies } from "./latency.ts";
import { startPeer } from "./peer-process.ts";

/** What arrived at the paths of one behaviour. */
export interface Received {
  distinct: number;
  /** Arrivals of an id that was there before. */
  repeated: number;
  /** From publishing to arrival. */
  latency: LatencySummary;
}

/** How the receiver behaves, by the first part of the path. */
export type Behaviour = "ok" | "slow" | "fail" | "hang";

/** The receiving side of the delivery benchmarks, a process of its own. */
export interface WebhookReceiver {
  pid: number;
  baseUrl: string;
  /** What arrived since the last reset. */
  received(behaviour: Behaviour): Promise<Received>;
  /** Distinct ids alone: asked often, the histogram of latencies would cost more than what it measures. */
  distinct(behaviour: Behaviour): Promise<number>;
  /** Begins a new count of one behaviour. */
  forget(behaviour: Behaviour): Promise<void>;
  /** Begins new counts and lets go of what hangs. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

const NOTHING: Received = {
  distinct: 0,
  repeated: 0,
  latency: summarizeLatencies(createLatencyHistogram()),
};

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const peer = await startPeer(process.execPath, "webhook-receiver.ts");
  return {
    pid: peer.pid,
    baseUrl: peer.baseUrl,
    async received(behaviour) {
      const response = await fetch(`${peer.baseUrl}/_counts`);
      const counts = (await response.json()) as Partial<
        Record<Behaviour, { distinct: number; repeated: number; latencies: string }>
      >;
      const group = counts[behaviour];
      if (group === undefined) return NOTHING;
      const histogram = createLatencyHistogram();
      addLatencies(histogram, group.latencies);
      return { distinct: group.distinct, repeated: group.repeated, latency: summarizeLatencies(histogram) };
    },
    async distinct(behaviour) {
      const response = await fetch(`${peer.baseUrl}/_distinct/${behaviour}`);
      return Number(await response.text());
    },
    async forget(behaviour) {
      await fetch(`${peer.baseUrl}/_forget/${behaviour}`, { method: "POST" });
    },
    async reset() {
      await fetch(`${peer.baseUrl}/_reset`, { method: "POST" });
    },
    stop: () => peer.stop(),
  };
}
