import { promises as dns } from "node:dns";
import type { EgressErrorCode } from "./exchange.ts";

/** Why a name has no addresses. */
export interface LookupFailure {
  code: Extract<EgressErrorCode, "dns_not_found" | "dns_failed">;
  message: string;
}

export type LookupResult = { addresses: readonly string[] } | LookupFailure;

/** Short, because receivers move; long enough that a busy one is asked for a few times a minute. */
const FOUND_MS = 10_000;
const FAILED_MS = 1_000;
const NAMES_MAX = 10_000;
/** Addresses of one name that are looked at; more is no host. */
const ADDRESSES_MAX = 16;
const SERVER_TIMEOUT_MS = 2_000;
const SERVER_TRIES = 2;

/** Answers that say "there is no such name", in the spellings of c-ares and getaddrinfo. */
const NOT_FOUND = new Set(["ENOTFOUND", "ENODATA", "ENONAME", "EAI_NONAME", "DNS_ENOTFOUND", "DNS_ENODATA"]);

interface Entry {
  result: LookupResult | undefined;
  pending: Promise<LookupResult> | undefined;
  untilMs: number;
}

/**
 * Resolves names, with a short cache of its own and one look-up a name at a time. The connection goes to an address out
 * of here and nothing resolves the name again, so a name that changes between check and connection gains nothing.
 */
export class NameLookup {
  readonly #entries = new Map<string, Entry>();
  readonly #servers: readonly string[];

  /** @param servers addresses, with a port if it is not 53; empty: the machine's own way, /etc/hosts included */
  constructor(servers: readonly string[]) {
    this.#servers = servers;
  }

  /** Never rejects; gives the result itself where it is known. */
  resolve(name: string, nowMs: number): LookupResult | Promise<LookupResult> {
    let entry = this.#entries.get(name);
    if (entry?.pending) return entry.pending;
    if (entry?.result && nowMs < entry.untilMs) return entry.result;
    if (this.#entries.size >= NAMES_MAX) this.#entries.clear();
    const pending = this.#ask(name).then((result) => {
      this.#entries.set(name, {
        result,
        pending: undefined,
        untilMs: performance.now() + ("addresses" in result ? FOUND_MS : FAILED_MS),
      });
      return result;
    });
    entry = { result: undefined, pending, untilMs: 0 };
    this.#entries.set(name, entry);
    return pending;
  }

  async #ask(name: string): Promise<LookupResult> {
    try {
      const addresses = this.#servers.length === 0 ? await askSystem(name) : await this.#askServers(name);
      if (addresses.length === 0) return { code: "dns_not_found", message: "The host does not exist" };
      return { addresses: [...new Set(addresses)].slice(0, ADDRESSES_MAX) };
    } catch (error) {
      if (NOT_FOUND.has((error as NodeJS.ErrnoException).code ?? "")) {
        return { code: "dns_not_found", message: "The host does not exist" };
      }
      return { code: "dns_failed", message: "The host's name cannot be resolved" };
    }
  }

  /** One family may fail alone, because only addresses that were got are connected to. */
  async #askServers(name: string): Promise<string[]> {
    const resolver = new dns.Resolver({ timeout: SERVER_TIMEOUT_MS, tries: SERVER_TRIES });
    resolver.setServers([...this.#servers]);
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (found.length > 0) return found;
    const failures = answers.flatMap((answer) =>
      answer.status === "rejected" ? [answer.reason as Error] : [],
    );
    const serious = failures.find((error) => !NOT_FOUND.has((error as NodeJS.ErrnoException).code ?? ""));
    if (serious ?? failures[0]) throw serious ?? failures[0]!;
    return [];
  }
}

async function askSystem(name: string): Promise<string[]> {
  return (await dns.lookup(name, { all: true })).map(({ address }) => address);
}
