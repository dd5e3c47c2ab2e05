import { hostname } from "node:os";
import { joinSnapshots, registerProcessMetrics, takeSnapshot } from "../../platform/metrics.ts";
import { METRICS_CHANNEL } from "../../platform/redis/keys.ts";
import { subscribe } from "../../platform/redis/subscribe.ts";
import { untilListening } from "../../platform/redis/until-listening.ts";
import type { Runtime } from "../../platform/runtime.ts";

/** How often each process tells its metrics; scrapes of 15 s or more see every change. */
const PUBLISH_EVERY_MS = 5000;

/** A process that has been silent for so long is gone. */
const SNAPSHOT_LIFETIME_MS = 3 * PUBLISH_EVERY_MS;

/** Processes remembered at most; more are a fault elsewhere, and must not fill the memory here. */
const PROCESSES_MAX = 500;

interface Announcement {
  process: string;
  metrics: string;
}

/** Name of a process that no other one has at the same time. */
function processName(runtime: Runtime): string {
  return `${runtime.name}-${hostname()}-${process.pid}`;
}

/**
 * Tells this process's metrics to the others, from now until shutdown. By pub/sub and not by keys: kept values would
 * fill the AOF with what nobody reads a minute later.
 */
export function publishMetrics(runtime: Runtime): void {
  const name = processName(runtime);
  registerProcessMetrics(runtime.metrics, name);
  const timer = setInterval(() => void publish(), PUBLISH_EVERY_MS);
  timer.unref();
  runtime.shutdown.add("metrics", () => clearInterval(timer));
  const publish = async (): Promise<void> => {
    if (runtime.redis.status !== "ready") return;
    const announcement: Announcement = { process: name, metrics: await takeSnapshot(runtime.metrics) };
    await runtime.redis.publish(METRICS_CHANNEL, JSON.stringify(announcement)).catch(() => undefined);
  };
  void publish();
}

/** Listens to the metrics of all processes; `read` gives them and this process's own as one Prometheus text. */
export function collectMetrics(runtime: Runtime): { read(): Promise<string> } {
  const own = processName(runtime);
  const others = new Map<string, { metrics: string; receivedAtMs: number }>();
  const onMessage = (message: string): void => {
    const { process: name, metrics } = JSON.parse(message) as Announcement;
    if (name === own || (others.size >= PROCESSES_MAX && !others.has(name))) return;
    others.set(name, { metrics, receivedAtMs: performance.now() });
  };
  void untilListening(runtime, "other processes' metrics", () =>
    subscribe(runtime, METRICS_CHANNEL, { onMessage }),
  );
  return {
    async read() {
      const oldestMs = performance.now() - SNAPSHOT_LIFETIME_MS;
      for (const [name, snapshot] of others) if (snapshot.receivedAtMs < oldestMs) others.delete(name);
      const ownSnapshot = await takeSnapshot(runtime.metrics);
      return await joinSnapshots([ownSnapshot, ...[...others.values()].map((snapshot) => snapshot.metrics)]);
    },
  };
}
