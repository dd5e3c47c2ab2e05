/** State of one host; a host without failures has none. */
interface Circuit {
  failures: number;
  /** Nothing is sent before this time; then one attempt finds out. */
  openUntilMs: number;
  openings: number;
  probing: boolean;
}

/** First pause of a host; each further one is twice as long, up to CIRCUIT_TIMEOUT_SECONDS. */
const FIRST_PAUSE_MS = 1_000;
const HOSTS_MAX = 10_000;

/**
 * Circuits by destination (scheme, host and port). Only failures of the name, the connection and TLS count: an error that
 * one tenant's path answers says nothing about what the others have on the same host. Attempts that an open circuit
 * prevents are not made and count nowhere.
 */
export class HostCircuits {
  readonly #circuits = new Map<string, Circuit>();
  readonly #failureThreshold: number;
  readonly #pauseMaxMs: number;

  /** @param options CIRCUIT_FAILURE_THRESHOLD and CIRCUIT_TIMEOUT_SECONDS */
  constructor(options: { failureThreshold: number; timeoutSeconds: number }) {
    this.#failureThreshold = options.failureThreshold;
    this.#pauseMaxMs = options.timeoutSeconds * 1000;
  }

  /** Time until the host may be tried; 0 allows one attempt, whose end must be told. */
  waitMs(origin: string, nowMs: number): number {
    const circuit = this.#circuits.get(origin);
    if (circuit === undefined || circuit.openUntilMs === 0) return 0;
    if (nowMs < circuit.openUntilMs) return circuit.openUntilMs - nowMs;
    if (circuit.probing) return FIRST_PAUSE_MS;
    circuit.probing = true;
    return 0;
  }

  /** Hears how an attempt ended. @param reached false when the name, the connection or TLS failed */
  end(origin: string, reached: boolean, nowMs: number): void {
    const known = this.#circuits.get(origin);
    if (reached) {
      if (known !== undefined) this.#circuits.delete(origin);
      return;
    }
    if (known === undefined && this.#circuits.size >= HOSTS_MAX) this.#circuits.clear();
    const circuit = known ?? { failures: 0, openUntilMs: 0, openings: 0, probing: false };
    this.#circuits.set(origin, circuit);
    circuit.failures++;
    circuit.probing = false;
    if (circuit.failures < this.#failureThreshold) return;
    circuit.openUntilMs = nowMs + Math.min(FIRST_PAUSE_MS * 2 ** circuit.openings, this.#pauseMaxMs);
    circuit.openings = Math.min(circuit.openings + 1, 20);
  }

  /** An attempt that was allowed was not made after all. */
  withdraw(origin: string): void {
    const circuit = this.#circuits.get(origin);
    if (circuit !== undefined) circuit.probing = false;
  }

  /** Hosts that are not tried at the moment. */
  openCount(nowMs: number): number {
    let open = 0;
    for (const { openUntilMs } of this.#circuits.values()) if (openUntilMs > nowMs) open++;
    return open;
  }
}
