import type { AddressPolicy, EgressPolicy, Refusal, Target } from "./address-policy.ts";
import { BufferedAnswer } from "./buffered-answer.ts";
import { ConnectError, type Connection, type ExchangeEnd, type WireRequest } from "./connection.ts";
import { Destination } from "./destination.ts";
import type { EgressErrorCode, EgressRequest, EgressResult } from "./exchange.ts";
import { FairSlots } from "./fair-slots.ts";
import { type LookupFailure, NameLookup } from "./name-lookup.ts";
import { Progress } from "./progress.ts";
import { writeRequestHead } from "./request-head.ts";
import { AnswerError } from "./response-parser.ts";

/** Bytes of an answer that are kept, unless the request says otherwise. */
const RESPONSE_BYTES_MAX = 64 * 1024;
/** Requests in flight of one process. */
const IN_FLIGHT_MAX = 64;
/** Idle connections of one process, looked at every second. */
const IDLE_MAX = 256;
const SWEEP_MS = 1_000;
/** URLs whose parts are remembered. */
const ROUTES_MAX = 10_000;

/** A URL that was taken apart. */
interface Route {
  destination: Destination;
  /** Path and query. */
  path: string;
  /** Host header: with the port where it is not the scheme's own. */
  host: string;
}

/** What one exchange works with. */
interface Work {
  route: Route;
  addresses: readonly string[];
  wire: WireRequest;
  progress: Progress;
}

export interface SenderOptions {
  policy: AddressPolicy;
  /** EGRESS_DNS_SERVERS; empty: the machine's own resolver. */
  dnsServers?: readonly string[];
  /** PEM certificates that replace the system's, for tests with a certificate authority of their own. */
  certificates?: readonly string[];
}

/**
 * All HTTP that the hub sends out. Resolves a name itself, judges every address of it and connects to one that was
 * judged, with the name in Host, SNI and the certificate check; follows no redirect, knows no proxy, keeps connections,
 * bounds what is in flight and everything that comes back, and never waits for ever.
 */
export class Sender {
  readonly #slots = new FairSlots(IN_FLIGHT_MAX);
  readonly #policy: AddressPolicy;
  readonly #names: NameLookup;
  readonly #certificates: readonly string[] | undefined;
  readonly #routes = new Map<string, Route>();
  readonly #destinations = new Map<string, Destination>();
  readonly #sweep: ReturnType<typeof setInterval>;

  constructor(options: SenderOptions) {
    this.#policy = options.policy;
    this.#names = new NameLookup(options.dnsServers ?? []);
    this.#certificates = options.certificates;
    this.#sweep = setInterval(() => this.#sweepIdle(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Never rejects. */
  async send(request: EgressRequest): Promise<EgressResult> {
    await this.#slots.acquire(request.key, request.slots);
    try {
      if (request.mayStart?.() === false) return { kind: "withheld" };
      return await this.#withinDeadline(request);
    } finally {
      this.#slots.release(request.key);
    }
  }

  /** Closes every connection; what is under way fails with `aborted`. */
  close(): void {
    clearInterval(this.#sweep);
    for (const destination of this.#destinations.values()) destination.close();
  }

  /** The one deadline of an exchange: whatever it waits for then is given up, and its phase is the cause. */
  async #withinDeadline(request: EgressRequest): Promise<EgressResult> {
    const progress = new Progress();
    const late = Promise.withResolvers<EgressResult>();
    const timer = setTimeout(() => {
      late.resolve(progress.timeout(request.timeoutMs));
      progress.giveUp();
    }, request.timeoutMs);
    try {
      return await Promise.race([late.promise, this.#exchange(request, progress)]);
    } catch (error) {
      return progress.error("request_invalid", (error as Error).message);
    } finally {
      clearTimeout(timer);
    }
  }

  async #exchange(request: EgressRequest, progress: Progress): Promise<EgressResult> {
    const route = this.#routeOf(request.url, request.policy);
    if ("code" in route) return progress.refused(route);
    const { destination } = route;
    destination.lastUsedMs = progress.startedAt;
    const bodyBytes = request.body === undefined ? undefined : byteLength(request.body);
    const head = writeRequestHead({ ...request, path: route.path, host: route.host, bodyBytes });
    if (typeof head !== "string") return progress.error("request_invalid", head.problem);

    const addresses = await this.#addressesOf(destination, progress);
    if ("refusal" in addresses) return progress.refused(addresses.refusal);
    if ("code" in addresses) return progress.error(addresses.code, addresses.message);
    const wire = { method: request.method, head, body: request.body, bodyBytes: bodyBytes ?? 0 };
    const keptMax = request.responseBytesMax ?? RESPONSE_BYTES_MAX;
    return this.#overConnection({ route, addresses, wire, progress }, keptMax, request.repeatable === true);
  }

  async #overConnection(work: Work, keptMax: number, repeatable: boolean): Promise<EgressResult> {
    const { route, addresses, progress } = work;
    let connection = route.destination.takeIdle(addresses, progress.startedAt);
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- the second round is for a kept connection that was closed
      const ready = connection ?? (await this.#connect(work));
      if (ready instanceof ConnectError) return progress.error(ready.code, ready.message, ready.phase);
      if (progress.isOver) {
        ready.destroy();
        return progress.timeout(0);
      }
      const answer = new BufferedAnswer(keptMax, progress);
      // oxlint-disable-next-line no-await-in-loop -- as above
      const end = await this.#over(ready, work, answer);
      if (end.complete) return finished(answer, keptMax, progress);
      if (answer.isCut) return finished(answer, keptMax, progress);
      const wasStale = connection !== undefined && !end.started && isClosing(end.code);
      if (!wasStale || !repeatable || progress.isOver) return progress.error(end.code, end.message);
      // Others kept to a receiver that was restarted would be as dead as this one.
      connection = undefined;
    }
  }

  async #over(connection: Connection, work: Work, answer: BufferedAnswer): Promise<ExchangeEnd> {
    const { progress, route } = work;
    progress.address = connection.address;
    progress.phase = "write";
    progress.sent = true;
    progress.onGiveUp = () => connection.destroy();
    answer.stop = () => connection.destroy();
    const end = await connection.exchange(work.wire, answer, progress);
    if (end.complete && end.reusable) {
      if (answer.keepAliveMs !== undefined) connection.idleMaxMs = answer.keepAliveMs;
      route.destination.putIdle(connection, performance.now());
    }
    return end;
  }

  async #connect({ route, addresses, progress }: Work): Promise<Connection | ConnectError> {
    progress.phase = "connect";
    try {
      const connection = await route.destination.connect(addresses, {
        certificates: this.#certificates,
        onTls: () => (progress.phase = "tls"),
        onPending: (giveUp) => {
          progress.phase = "connect";
          progress.onGiveUp = giveUp;
        },
        isOver: () => progress.isOver,
      });
      progress.timings.connectMs = progress.elapsedMs();
      return connection;
    } catch (error) {
      return error as ConnectError;
    }
  }

  /** The addresses of a destination, all of them judged, or what speaks against them. */
  async #addressesOf(
    destination: Destination,
    progress: Progress,
  ): Promise<readonly string[] | { refusal: Refusal } | LookupFailure> {
    const { target, policy } = destination;
    if (target.family !== 0) return [target.host];
    const known = this.#names.resolve(target.host, progress.startedAt);
    const found = known instanceof Promise ? await known : known;
    if (known instanceof Promise) progress.timings.dnsMs = progress.elapsedMs();
    if ("code" in found) return found;
    // Judging takes 10 µs an address; what was judged is not asked again until the name is.
    if (destination.judged?.addresses !== found.addresses) {
      const refusal = this.#policy.judge(target, found.addresses, policy);
      destination.judged = { addresses: found.addresses, refusal };
    }
    const { refusal } = destination.judged;
    return refusal === undefined ? found.addresses : { refusal };
  }

  #routeOf(url: string, policy: EgressPolicy): Route | Refusal {
    const key = `${policy} ${url}`;
    const known = this.#routes.get(key);
    if (known !== undefined) return known;
    const target = this.#policy.checkUrl(url, policy);
    if ("code" in target) return target;
    const route: Route = {
      destination: this.#destinationOf(target, policy),
      path: target.url.pathname + target.url.search,
      host: hostHeader(target),
    };
    if (this.#routes.size >= ROUTES_MAX) this.#routes.clear();
    this.#routes.set(key, route);
    return route;
  }

  #destinationOf(target: Target, policy: EgressPolicy): Destination {
    const key = `${policy} ${target.url.protocol} ${target.host} ${target.port}`;
    let destination = this.#destinations.get(key);
    if (destination === undefined) {
      destination = new Destination(target, policy);
      this.#destinations.set(key, destination);
    }
    return destination;
  }

  #sweepIdle(): void {
    const nowMs = performance.now();
    const idle: Connection[] = [];
    const forgotten = new Set<Destination>();
    for (const [key, destination] of this.#destinations) {
      const isForgotten = destination.sweep(nowMs);
      idle.push(...destination.idle);
      if (!isForgotten) continue;
      this.#destinations.delete(key);
      forgotten.add(destination);
    }
    // Once for all of them: thousands of destinations can be forgotten in one sweep.
    if (forgotten.size > 0) {
      for (const [url, { destination }] of this.#routes) {
        if (forgotten.has(destination)) this.#routes.delete(url);
      }
    }
    if (idle.length <= IDLE_MAX) return;
    const oldestFirst = idle.toSorted((left, right) => left.idleSinceMs - right.idleSinceMs);
    for (const connection of oldestFirst.slice(0, idle.length - IDLE_MAX)) connection.destroy();
  }
}

async function finished(answer: BufferedAnswer, keptMax: number, progress: Progress): Promise<EgressResult> {
  try {
    const { status, headers, body, bodyTruncated } = await answer.read(keptMax);
    const { address } = progress;
    return {
      kind: "response",
      status,
      headers,
      body,
      bodyTruncated,
      timings: progress.end(),
      ...(address === undefined ? {} : { address }),
    };
  } catch (error) {
    if (error instanceof AnswerError) return progress.error(error.code, error.message);
    throw error;
  }
}

function isClosing(code: EgressErrorCode): boolean {
  return code === "connection_closed" || code === "connection_reset";
}

function byteLength(body: Uint8Array | string): number {
  return typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
}

/** RFC 9110 section 7.2; without the final dot, which many servers do not know. */
function hostHeader({ family, host, url }: Target): string {
  const name = family === 6 ? `[${host}]` : host;
  return url.port === "" ? name : `${name}:${url.port}`;
}
