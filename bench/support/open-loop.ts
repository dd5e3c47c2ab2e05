import { HttpConnection, type RequestEnd } from "./http-connection.ts";
import { createLatencyHistogram, encodeLatencies, recordLatency } from "./latency.ts";
import type { LoadEndpoint } from "./load-endpoint.ts";
import { loadStatusBody, requestWriterOf } from "./sign-webhook.ts";

/** A steady rate of signed webhooks with distinct ids and bodies, whatever the server does. */
export interface OpenLoopPlan {
  /** `http://` or `https://`, host, port; a path is put in front of the endpoints' own. */
  baseUrl: string;
  endpoints: readonly LoadEndpoint[];
  ratePerSecond: number;
  seconds: number;
  connections: number;
  bodyBytes: number;
  /** Longest wait for one answer. */
  timeoutMs: number;
  /** Makes the event ids of this run and process distinct from all others. */
  idPrefix: string;
}

/** Counts of one run; `latencies` is an encoded histogram of microseconds. */
export interface OpenLoopCounts {
  sent: number;
  /** Requests that were due but for which no connection became free in time. */
  unsent: number;
  byStatus: Record<string, number>;
  timeouts: number;
  broken: number;
  connectErrors: number;
  /** First to last intended time and the wait for the last answers, in ms. */
  durationMs: number;
  /** From the intended time to the complete answer: 2xx only, and timeouts with their waiting time. */
  latencies: string;
  /** From the time at which a request was due and a connection free to its writing: the generator's own lateness. */
  lateness: string;
}

/** How often timeouts are looked for. */
const TIMEOUT_CHECK_MS = 50;

/**
 * Sends requests at their intended times and measures from these, not from the moment of writing: a server that stalls
 * makes all that were due meanwhile late (no coordinated omission). With every connection busy, what is due waits for
 * the next free one. Stops by itself after `seconds` and at most `timeoutMs` more.
 */
export function runOpenLoop(
  plan: OpenLoopPlan,
  onProgress?: (counts: { sent: number; answered: number }) => void,
): Promise<OpenLoopCounts> {
  return new OpenLoop(plan).run(onProgress);
}

class OpenLoop {
  readonly #plan: OpenLoopPlan;
  readonly #writers: ((eventId: string, body: string, nowMs: number) => string)[];
  readonly #connections: HttpConnection[] = [];
  /** Connections without a request, longest idle first, so that all of them are used. */
  readonly #idle: HttpConnection[] = [];
  readonly #latencies = createLatencyHistogram();
  readonly #lateness = createLatencyHistogram();
  readonly #total: number;
  readonly #byStatus: Record<string, number> = {};
  #sent = 0;
  #answered = 0;
  #timeouts = 0;
  #broken = 0;
  #connectErrors = 0;
  #startedMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #settle: (() => void) | undefined;

  constructor(plan: OpenLoopPlan) {
    this.#plan = plan;
    this.#total = Math.round(plan.ratePerSecond * plan.seconds);
    const { host, pathname } = new URL(plan.baseUrl);
    const base = pathname.replace(/\/$/, "");
    this.#writers = plan.endpoints.map((endpoint) =>
      requestWriterOf({ ...endpoint, path: base + endpoint.path }, host),
    );
  }

  async run(onProgress?: (counts: { sent: number; answered: number }) => void): Promise<OpenLoopCounts> {
    const { connections, seconds, timeoutMs } = this.#plan;
    const done = new Promise<void>((settle) => (this.#settle = settle));
    for (let index = 0; index < connections; index++) this.#connections.push(this.#connect());
    await this.#untilConnected();
    this.#startedMs = performance.now();
    const checks = setInterval(() => this.#expire(), TIMEOUT_CHECK_MS);
    const progress = setInterval(() => onProgress?.({ sent: this.#sent, answered: this.#answered }), 1000);
    const end = setTimeout(() => this.#settle?.(), seconds * 1000 + timeoutMs + 1000);
    this.#pump();
    await done;
    const durationMs = performance.now() - this.#startedMs;
    clearInterval(checks);
    clearInterval(progress);
    clearTimeout(end);
    clearTimeout(this.#timer);
    const unfinished = this.#connections.filter((connection) => connection.busy).length;
    for (const connection of this.#connections) connection.close();
    return {
      sent: this.#sent,
      unsent: this.#total - this.#sent,
      byStatus: this.#byStatus,
      timeouts: this.#timeouts + unfinished,
      broken: this.#broken,
      connectErrors: this.#connectErrors,
      durationMs,
      latencies: encodeLatencies(this.#latencies),
      lateness: encodeLatencies(this.#lateness),
    };
  }

  #connect(): HttpConnection {
    const url = new URL(this.#plan.baseUrl);
    const tls = url.protocol === "https:";
    return new HttpConnection({
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || (tls ? 443 : 80)),
      tls,
      onIdle: (connection) => {
        this.#idle.push(connection);
        if (this.#startedMs > 0) this.#pump();
      },
      onEnd: (connection, end) => this.#ended(connection, end),
      onConnectError: () => this.#connectErrors++,
    });
  }

  /** Opening connections is no part of what is measured. Starts with fewer when a server takes no more. */
  async #untilConnected(): Promise<void> {
    const deadlineMs = performance.now() + 5000;
    while (this.#idle.length < this.#plan.connections && performance.now() < deadlineMs) await Bun.sleep(10);
  }

  #intendedMs(sequence: number): number {
    return this.#startedMs + (sequence * 1000) / this.#plan.ratePerSecond;
  }

  /** Writes everything that is due, then sleeps until the next one is. */
  #pump(): void {
    const nowMs = performance.now();
    if (nowMs > this.#startedMs + this.#plan.seconds * 1000 + this.#plan.timeoutMs) return;
    while (this.#sent < this.#total && this.#idle.length > 0) {
      const intendedMs = this.#intendedMs(this.#sent);
      if (intendedMs > nowMs) break;
      this.#write(this.#idle.shift()!, intendedMs);
    }
    if (this.#sent >= this.#total || this.#idle.length === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#pump();
      },
      Math.max(0, this.#intendedMs(this.#sent) - performance.now()),
    );
  }

  #write(connection: HttpConnection, intendedMs: number): void {
    const sequence = this.#sent++;
    const eventId = `${this.#plan.idPrefix}-${sequence}`;
    const epochMs = Date.now();
    const body = loadStatusBody(eventId, sequence, epochMs, this.#plan.bodyBytes);
    const request = this.#writers[sequence % this.#writers.length]!(eventId, body, epochMs);
    const sentMs = performance.now();
    // A connection that became free after the time was due: the server's doing, not the generator's.
    recordLatency(this.#lateness, sentMs - Math.max(intendedMs, connection.sentMs));
    connection.intendedMs = intendedMs;
    connection.sentMs = sentMs;
    connection.send(request);
  }

  #ended(connection: HttpConnection, end: RequestEnd): void {
    const nowMs = performance.now();
    const latencyMs = nowMs - connection.intendedMs;
    connection.sentMs = nowMs;
    this.#answered++;
    if (end === "broken") {
      this.#broken++;
    } else if (end === "timeout") {
      this.#timeouts++;
      recordLatency(this.#latencies, latencyMs);
    } else {
      this.#byStatus[end.status] = (this.#byStatus[end.status] ?? 0) + 1;
      if (end.status < 300) recordLatency(this.#latencies, latencyMs);
    }
    if (this.#sent >= this.#total && this.#answered >= this.#sent) this.#settle?.();
  }

  #expire(): void {
    const oldestMs = performance.now() - this.#plan.timeoutMs;
    for (const connection of this.#connections) {
      if (connection.busy && connection.sentMs < oldestMs) connection.abandon();
    }
  }
}
