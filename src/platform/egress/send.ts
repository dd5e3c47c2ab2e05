import type { AddressPolicy, EgressPolicy, Refusal, Target } from "./address-policy.ts";
import { BufferedAnswer } from "./buffered-answer.ts";
import { ConnectError, type Connection, type ExchangeEnd, type WireRequest } from "./connection.ts";
import { Destination } from "./destination.ts";
import type { EgressErrorCode, EgressRequest, EgressResult } from "./exchange.ts";
import { FairSlots } from "./fair-slots.ts";
import { type LookupFailure, type LookupResult, NameLookup } from "./name-lookup.ts";
import { Progress } from "./progress.ts";
import { writeRequestHead } from "./request-head.ts";
import { AnswerError } from "./response-parser.ts";
import {
  type BodySource,
  StreamedAnswer,
  type StreamFailure,
  type StreamRequest,
  type StreamResult,
} from "./streamed-exchange.ts";

/** Bytes of an answer that are kept, unless the request says otherwise. */
const RESPONSE_BYTES_MAX = 64 * 1024;
/** Requests in flight of one process. */
const IN_FLIGHT_MAX = 64;
/** Idle connections of one process, looked at every second. */
const IDLE_MAX = 256;
const SWEEP_MS = 1_000;
/**
 * A request that must not be sent twice goes out on a connection that was used so lately that hardly any receiver has
 * given it up, or on a new one.
 */
const SURELY_OPEN_MS = 2_000;
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

/** A request on its way: where to, and how it stands. */
interface Way {
  route: Route;
  addresses: readonly string[];
  wire: WireRequest;
  progress: Progress;
}

type Answer = BufferedAnswer | StreamedAnswer;
type Judged = readonly string[] | { refusal: Refusal } | LookupFailure;

const CLOSED = "The exchange was given up";

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
  /** Exchanges under way. */
  readonly #active = new Set<Progress>();
  readonly #sweep: ReturnType<typeof setInterval>;
  #closed = false;

  constructor(options: SenderOptions) {
    this.#policy = options.policy;
    this.#names = new NameLookup(options.dnsServers ?? []);
    this.#certificates = options.certificates;
    this.#sweep = setInterval(() => this.#sweepIdle(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Never rejects. */
  async send(request: EgressRequest): Promise<EgressResult> {
    const slot = this.#slots.acquire(request.key, request.slots);
    if (slot !== undefined) await slot;
    try {
      if (this.#closed) return new Progress().error("aborted", CLOSED);
      if (request.mayStart?.() === false) return { kind: "withheld" };
      return await this.#withinDeadline(request);
    } finally {
      this.#slots.release(request.key);
    }
  }

  /**
   * Sends a request whose bodies pass through: resolves with the answer's head, while both bodies may still be under way.
   * Bounded by its caller: it waits for no slot. Never rejects.
   */
  open(request: StreamRequest): Promise<StreamResult> {
    const progress = new Progress();
    const answer = new StreamedAnswer(progress);
    if (this.#closed) answer.finish(progress.error("aborted", CLOSED) as StreamFailure);
    else {
      this.#active.add(progress);
      const timer = setTimeout(() => {
        answer.finish(progress.timeout(request.timeoutMs) as StreamFailure);
        progress.giveUp();
      }, request.timeoutMs);
      const abort = (): void => answer.cancel();
      request.signal?.addEventListener("abort", abort, { once: true });
      const settle = (failure: StreamFailure | undefined): void => {
        clearTimeout(timer);
        request.signal?.removeEventListener("abort", abort);
        this.#active.delete(progress);
        answer.finish(failure);
      };
      this.#pass(request, answer, progress).then(settle, (error: unknown) =>
        settle(progress.error("request_invalid", (error as Error).message) as StreamFailure),
      );
      if (request.signal?.aborted === true) abort();
    }
    return answer.opened;
  }

  /** Closes every connection; what is under way or waits for a slot fails with `aborted`. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const progress of this.#active) progress.giveUp();
    this.#slots.letGo();
    for (const destination of this.#destinations.values()) destination.close();
  }

  /** The one deadline of an exchange: whatever it waits for then is given up, and its phase is the cause. */
  #withinDeadline(request: EgressRequest): Promise<EgressResult> {
    const progress = new Progress();
    this.#active.add(progress);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(progress.timeout(request.timeoutMs));
        progress.giveUp();
      }, request.timeoutMs);
      const settle = (result: EgressResult): void => {
        clearTimeout(timer);
        this.#active.delete(progress);
        resolve(result);
      };
      this.#exchange(request, progress).then(settle, (error: unknown) =>
        settle(progress.error("request_invalid", (error as Error).message)),
      );
    });
  }

  async #exchange(request: EgressRequest, progress: Progress): Promise<EgressResult> {
    const route = this.#routeOf(request.url, request.policy);
    if ("code" in route) return progress.refused(route);
    const { destination } = route;
    destination.lastUsedMs = progress.startedAt;
    const bodyBytes = request.body === undefined ? undefined : byteLength(request.body);
    const head = writeRequestHead(request, { path: route.path, host: route.host, bodyBytes });
    if (typeof head !== "string") return progress.error("request_invalid", head.problem);

    const known = this.#addressesOf(destination, progress);
    const addresses = known instanceof Promise ? await known : known;
    if ("refusal" in addresses) return progress.refused(addresses.refusal);
    if ("code" in addresses) return progress.error(addresses.code, addresses.message);
    const wire = { method: request.method, head, body: request.body, bodyBytes: bodyBytes ?? 0 };
    const work = {
      route,
      addresses,
      wire,
      progress,
      keptMax: request.responseBytesMax ?? RESPONSE_BYTES_MAX,
    };
    let connection = request.fresh ? undefined : destination.takeIdle(addresses, progress.startedAt);
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- the second round is for a kept connection that was closed
      const ready = connection ?? (await this.#connect(work));
      if (ready instanceof ConnectError) return progress.error(ready.code, ready.message, ready.phase);
      if (progress.isOver) {
        ready.destroy();
        return progress.error("aborted", CLOSED);
      }
      const answer = new BufferedAnswer(work.keptMax, progress);
      // oxlint-disable-next-line no-await-in-loop -- as above
      const end = await startExchange(ready, work, answer);
      if (end.complete) {
        if (end.reusable) keep(ready, destination, answer);
        return finished(answer, work.keptMax, progress);
      }
      if (answer.isCut) return finished(answer, work.keptMax, progress);
      const wasStale = connection !== undefined && !end.started && isClosing(end.code);
      if (!wasStale || request.repeatable !== true || progress.isOver)
        return progress.error(end.code, end.message);
      // Others kept to a receiver that was restarted would be as dead as this one.
      connection = undefined;
    }
  }

  /** One exchange of `open`. @returns when it is over: how it failed, if it did */
  async #pass(
    request: StreamRequest,
    answer: StreamedAnswer,
    progress: Progress,
  ): Promise<StreamFailure | undefined> {
    const failed = (result: EgressResult): StreamFailure => result as StreamFailure;
    const route = this.#routeOf(request.url, request.policy);
    if ("code" in route) return failed(progress.refused(route));
    const { destination } = route;
    destination.lastUsedMs = progress.startedAt;
    const source = isSource(request.body) ? request.body : undefined;
    const body = isSource(request.body) ? undefined : request.body;
    const bodyBytes = source === undefined ? body?.byteLength : (source.bytes ?? "chunked");
    const head = writeRequestHead(request, { path: route.path, host: route.host, bodyBytes });
    if (typeof head !== "string") return failed(progress.error("request_invalid", head.problem));
    const known = this.#addressesOf(destination, progress);
    const addresses = known instanceof Promise ? await known : known;
    if ("refusal" in addresses) return failed(progress.refused(addresses.refusal));
    if ("code" in addresses) return failed(progress.error(addresses.code, addresses.message));
    const wire = { method: request.method, head, body, bodyBytes: body?.byteLength ?? 0, source };
    const way = { route, addresses, wire, progress };
    const idleMaxMs = request.repeatable ? undefined : SURELY_OPEN_MS;
    let connection = destination.takeIdle(addresses, progress.startedAt, idleMaxMs);
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- the second round is for a kept connection that was closed
      const ready = connection ?? (await this.#connect(way));
      if (ready instanceof ConnectError)
        return failed(progress.error(ready.code, ready.message, ready.phase));
      if (progress.isOver) {
        ready.destroy();
        return failed(progress.error("aborted", CLOSED));
      }
      answer.flow = ready;
      // oxlint-disable-next-line no-await-in-loop -- as above
      const end = await startExchange(ready, way, answer);
      if (end.complete) {
        if (end.reusable) keep(ready, destination, answer);
        return undefined;
      }
      const wasStale = connection !== undefined && !end.started && isClosing(end.code);
      const isOnceMore = wasStale && request.repeatable && !progress.isOver;
      if (!isOnceMore || source?.rewind() === false) return failed(progress.error(end.code, end.message));
      connection = undefined;
    }
  }

  async #connect({ route, addresses, progress }: Way): Promise<Connection | ConnectError> {
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
  #addressesOf(destination: Destination, progress: Progress): Judged | Promise<Judged> {
    const { target } = destination;
    if (target.family !== 0) return [target.host];
    const known = this.#names.resolve(target.host, progress.startedAt);
    if (!(known instanceof Promise)) return this.#judge(destination, known);
    return known.then((found) => {
      progress.timings.dnsMs = progress.elapsedMs();
      return this.#judge(destination, found);
    });
  }

  #judge(destination: Destination, found: LookupResult): Judged {
    if ("code" in found) return found;
    // Judging takes 10 µs an address; what was judged is not asked again until the name is.
    if (destination.judged?.addresses !== found.addresses) {
      const refusal = this.#policy.judge(destination.target, found.addresses, destination.policy);
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

function startExchange(connection: Connection, way: Way, answer: Answer): Promise<ExchangeEnd> {
  const { progress } = way;
  progress.address = connection.address;
  progress.phase = "write";
  progress.sent = true;
  const giveUp = (): void => connection.destroy();
  progress.onGiveUp = giveUp;
  if (answer instanceof BufferedAnswer) answer.stop = giveUp;
  return connection.exchange(way.wire, answer, progress);
}

function isSource(body: StreamRequest["body"]): body is BodySource {
  return body !== undefined && !(body instanceof Uint8Array);
}

/** The connection waits for the next exchange with the same destination. */
function keep(connection: Connection, destination: Destination, { keepAliveMs }: Answer): void {
  if (keepAliveMs !== undefined) connection.idleMaxMs = keepAliveMs;
  destination.putIdle(connection, performance.now());
}

function finished(
  answer: BufferedAnswer,
  keptMax: number,
  progress: Progress,
): EgressResult | Promise<EgressResult> {
  const read = answer.read(keptMax);
  if (!(read instanceof Promise)) return progress.response(read);
  return read.then(
    (decoded) => progress.response(decoded),
    (error: unknown) => {
      if (error instanceof AnswerError) return progress.error(error.code, error.message);
      throw error;
    },
  );
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
