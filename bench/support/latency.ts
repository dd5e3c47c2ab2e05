import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from "hdr-histogram-js";

/** Latencies in milliseconds, with microseconds behind the point. */
export interface LatencySummary {
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
  count: number;
}

/** Latencies longer than this are counted as this long: no request of a benchmark is waited for longer. */
const HIGHEST_MICROS = 300_000_000;

/** A histogram of microseconds with three significant digits (HdrHistogram). */
export function createLatencyHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_MICROS,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
  });
}

/** Records a duration in milliseconds. */
export function recordLatency(histogram: Histogram, durationMs: number): void {
  histogram.recordValue(Math.min(HIGHEST_MICROS, Math.max(0, Math.round(durationMs * 1000))));
}

export function encodeLatencies(histogram: Histogram): string {
  return encodeIntoCompressedBase64(histogram);
}

/** Adds what another process recorded. */
export function addLatencies(histogram: Histogram, encoded: string): void {
  histogram.add(decodeFromCompressedBase64(encoded, 32, false, HIGHEST_MICROS));
}

export function summarizeLatencies(histogram: Histogram): LatencySummary {
  const atPercentile = (percentile: number) => histogram.getValueAtPercentile(percentile) / 1000;
  return {
    p50Ms: atPercentile(50),
    p90Ms: atPercentile(90),
    p99Ms: atPercentile(99),
    p999Ms: atPercentile(99.9),
    maxMs: histogram.maxValue / 1000,
    count: histogram.totalCount,
  };
}
