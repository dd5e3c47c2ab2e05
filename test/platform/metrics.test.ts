import { describe, expect, test } from "bun:test";
import { Registry } from "prom-client";
import {
  createFastCounter,
  createFastHistogram,
  createGauge,
  joinSnapshots,
  registerProcessMetrics,
  takeSnapshot,
} from "../../src/platform/metrics.ts";

/** A process's registry with one of each kind. */
function processWith(name: string, latencies: number[], refused: number, depth: number): Registry {
  const registry = new Registry();
  const latency = createFastHistogram(registry, {
    name: "h_seconds",
    help: "latency",
    bounds: [0.001, 0.01, 1],
  });
  for (const value of latencies) latency.observe(value);
  const outcomes = createFastCounter(registry, {
    name: "h_total",
    help: 'with "quotes" and\nlines',
    label: "outcome",
    values: ["accepted", "refused"],
  });
  outcomes.inc("refused", refused);
  createGauge(registry, {
    name: "h_depth",
    help: "depth",
    aggregator: "max",
    read: () => [{ labels: { topic: "inbound" }, value: depth }],
  });
  createGauge(registry, { name: "h_silent", help: "a process that does not lead", read: () => [] });
  registerProcessMetrics(registry, name);
  return registry;
}

/** Exposition format 0.0.4: comments, or a name, labels, a number. */
const LINE =
  /^(?:# (?:HELP|TYPE) .*|[a-zA-Z_:][\w:]*(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})? (?:[-+0-9.e]+|\+Inf|NaN)|)$/;

describe("metrics", () => {
  test("createFastHistogram() counts each value in every bucket from its bound on", async () => {
    const text = await processWith("p", [0.0005, 0.001, 0.002, 5], 0, 0).metrics();
    expect(text).toContain('h_seconds_bucket{le="0.001"} 2');
    expect(text).toContain('h_seconds_bucket{le="0.01"} 3');
    expect(text).toContain('h_seconds_bucket{le="1"} 3');
    expect(text).toContain('h_seconds_bucket{le="+Inf"} 4');
    expect(text).toContain("h_seconds_count 4");
    expect(text).toContain("h_seconds_sum 5.0035");
  });

  test("createFastCounter() shows every label value from the start", async () => {
    const text = await processWith("p", [], 0, 0).metrics();
    expect(text).toContain('h_total{outcome="accepted"} 0');
    expect(text).toContain('h_total{outcome="refused"} 0');
  });

  test("joinSnapshots() sums counters, takes the largest gauge and keeps processes apart", async () => {
    const text = await joinSnapshots([
      await takeSnapshot(processWith("edge-1", [0.002], 3, 10)),
      await takeSnapshot(processWith("worker-1", [0.5, 0.002], 4, 7)),
    ]);
    expect(text).toContain('h_total{outcome="refused"} 7');
    expect(text).toContain('h_seconds_bucket{le="0.01"} 2');
    expect(text).toContain("h_seconds_count 3");
    expect(text).toContain('h_depth{topic="inbound"} 10');
    expect(text).toMatch(/hub_process_resident_memory_bytes\{process="edge-1"\} \d+/);
    expect(text).toMatch(/hub_process_resident_memory_bytes\{process="worker-1"\} \d+/);
  });

  test("joinSnapshots() gives text that a Prometheus can parse", async () => {
    const text = await joinSnapshots([await takeSnapshot(processWith("p", [1], 1, 1))]);
    expect(text.split("\n").filter((line) => !LINE.test(line))).toEqual([]);
  });
});
