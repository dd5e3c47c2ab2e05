import { AggregatorRegistry, Gauge, Registry } from "prom-client";

/** One sample in the form that prom-client prints and aggregates. */
interface Sample {
  labels: Record<string, string | number>;
  value: number;
  metricName?: string;
}

/** What prom-client asks of a metric. */
interface OwnMetric {
  name: string;
  help: string;
  type: "counter" | "histogram" | "gauge";
  aggregator: "sum" | "max" | "min";
  values: Sample[];
}

/** Counts observations in buckets without allocating: a few nanoseconds each, for paths that run 40,000 times a second. */
export interface FastHistogram {
  /** Adds one value in the unit of the bounds. */
  observe(value: number): void;
}

/** Counts by one label whose values are known beforehand, without allocating. */
export interface FastCounter<Value extends string> {
  inc(value: Value, by?: number): void;
}

/** Latency bounds in seconds: fine where the promises are (1 to 10 ms), coarse up to the processing timeout. */
export const LATENCY_BOUNDS_SECONDS = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30,
];

/** Bounds for numbers of things handled at once. */
export const SIZE_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

/**
 * Registers a histogram for a hot path; prom-client's own one allocates its label set on each observation.
 *
 * @param options.bounds upper bounds of the buckets, ascending; a last bucket takes what is above
 */
export function createFastHistogram(
  registry: Registry,
  options: { name: string; help: string; bounds: readonly number[] },
): FastHistogram {
  const { name, help, bounds } = options;
  const counts = new Float64Array(bounds.length + 1);
  const limits = Float64Array.from(bounds);
  let sum = 0;
  register(registry, name, () => {
    let cumulated = 0;
    const values: Sample[] = bounds.map((bound, index) => {
      cumulated += counts[index]!;
      return { metricName: `${name}_bucket`, labels: { le: bound }, value: cumulated };
    });
    cumulated += counts[bounds.length]!;
    values.push(
      { metricName: `${name}_bucket`, labels: { le: "+Inf" }, value: cumulated },
      { metricName: `${name}_sum`, labels: {}, value: sum },
      { metricName: `${name}_count`, labels: {}, value: cumulated },
    );
    return { name, help, type: "histogram", aggregator: "sum", values };
  });
  return {
    observe(value) {
      let bucket = 0;
      while (bucket < limits.length && value > limits[bucket]!) bucket++;
      counts[bucket]!++;
      sum += value;
    },
  };
}

/**
 * Registers a counter with one label.
 *
 * @param options.values every value of the label: each is shown from the start with 0, so that a rate can be computed
 */
export function createFastCounter<Value extends string>(
  registry: Registry,
  options: { name: string; help: string; label: string; values: readonly Value[] },
): FastCounter<Value> {
  const { name, help, label, values } = options;
  const counts = Object.fromEntries(values.map((value) => [value, 0])) as Record<Value, number>;
  register(registry, name, () => ({
    name,
    help,
    type: "counter",
    aggregator: "sum",
    values: values.map((value) => ({ labels: { [label]: value }, value: counts[value] })),
  }));
  return {
    inc(value, by = 1) {
      counts[value] += by;
    },
  };
}

/**
 * Registers a gauge that is asked when the metrics are read.
 *
 * @param options.read its samples; none while this process has nothing to say (for example while another one leads)
 * @param options.aggregator how the values of several processes become one; their sum when left out
 */
export function createGauge(
  registry: Registry,
  options: {
    name: string;
    help: string;
    aggregator?: "sum" | "max" | "min";
    read: () => readonly { labels?: Record<string, string>; value: number }[];
  },
): void {
  const { name, help, aggregator = "sum", read } = options;
  register(registry, name, () => ({
    name,
    help,
    type: "gauge",
    aggregator,
    values: read().map(({ labels, value }) => ({ labels: labels ?? {}, value })),
  }));
}

function register(registry: Registry, name: string, get: () => OwnMetric): void {
  // prom-client needs the name and `get` only; its type asks for one of its own classes.
  registry.registerMetric({ name, get } as unknown as Gauge);
}

/** Memory and age of this process; labelled by process, because a sum over processes hides the one that grows. */
export function registerProcessMetrics(registry: Registry, processName: string): void {
  const startedAtSeconds = Math.round(Date.now() / 1000 - process.uptime());
  createGauge(registry, {
    name: "hub_process_resident_memory_bytes",
    help: "Resident memory of each process",
    read: () => [{ labels: { process: processName }, value: process.memoryUsage.rss() }],
  });
  createGauge(registry, {
    name: "hub_process_start_time_seconds",
    help: "Start of each process, seconds since the epoch",
    read: () => [{ labels: { process: processName }, value: startedAtSeconds }],
  });
}

/** One process's metrics as JSON, for `joinSnapshots`. */
export async function takeSnapshot(registry: Registry): Promise<string> {
  return JSON.stringify(await registry.getMetricsAsJSON());
}

/**
 * Prometheus text of several processes' metrics together.
 *
 * @param snapshots results of `takeSnapshot`
 */
export async function joinSnapshots(snapshots: readonly string[]): Promise<string> {
  const parsed = snapshots.map((snapshot) => JSON.parse(snapshot) as object);
  return await AggregatorRegistry.aggregate(parsed as never).metrics();
}
