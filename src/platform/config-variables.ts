import { isIP } from "node:net";
import { KeyRingError, parseKeyRing } from "./crypto/keyring.ts";
import { parseCidr } from "./net/address.ts";

/** How one environment variable is read; the README's configuration table is tested against this list. */
export interface Variable {
  /** Text that counts when the variable is unset or empty. */
  defaultText?: string;
  /** Value when unset and without a default: undefined, or an empty list. */
  emptyValue?: unknown;
  /** What it does, in one line, for the README and `hub config`. */
  about: string;
  /** Never print the value. */
  secret?: boolean;
  parse(text: string): { value: unknown } | { problem: string };
}

const text = (about: string, defaultText?: string): Variable => ({
  ...(defaultText === undefined ? {} : { defaultText }),
  about,
  parse: (given) => ({ value: given }),
});

const secret = (about: string, problemOf: (given: string) => string | undefined): Variable => ({
  about,
  secret: true,
  parse: (given) => {
    const problem = problemOf(given);
    return problem === undefined ? { value: given } : { problem };
  },
});

/** The ring's messages name an entry by its place, never by its content. */
const keyRingProblem = (given: string): string | undefined => {
  try {
    parseKeyRing(given);
    return undefined;
  } catch (error) {
    if (error instanceof KeyRingError) return error.message;
    throw error;
  }
};

/** HS256 needs a key as long as its hash (RFC 7518, section 3.2). */
const sharedSecretProblem = (given: string): string | undefined =>
  Buffer.byteLength(given) < 32 ? "must have 32 bytes or more (RFC 7518 section 3.2)" : undefined;

/** Length as Standard Webhooks asks for. */
const alertSecretProblem = (given: string): string | undefined => {
  const bytes = /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(given) ? Buffer.from(given.slice(6), "base64").length : 0;
  return bytes >= 24 && bytes <= 64 ? undefined : "must be whsec_ and base64 of 24 to 64 bytes";
};

/** A DNS name (RFC 1123) or an address; whether it is this machine's own, only listening tells. */
const host = (about: string, defaultText: string): Variable => ({
  ...text(about, defaultText),
  parse: (given) =>
    isIP(given) !== 0 || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(given)
      ? { value: given }
      : { problem: "must be an IP address or a host name" },
});

const url = (about: string, protocols: readonly string[], isSecret = false): Variable => ({
  about,
  secret: isSecret,
  parse: (given) => {
    // Several hosts in one URL (Cluster, Sentinel) are no WHATWG URL: of those only the scheme is judged here.
    const scheme = given.slice(0, given.indexOf("://") + 1);
    return protocols.includes(scheme) && (!protocols.includes("http:") || URL.canParse(given))
      ? { value: given }
      : { problem: `must be a URL that starts with ${protocols.map((name) => `${name}//`).join(" or ")}` };
  },
});

/** Paths are put behind it, and it stands in answers. */
const baseUrl = (about: string): Variable => {
  const any = url(about, HTTP_SCHEMES);
  return {
    ...any,
    emptyValue: "",
    parse: (given) => {
      const { username, password } = URL.canParse(given) ? new URL(given) : { username: "", password: "" };
      return username || password || /[?#]/.test(given)
        ? { problem: "must have no user, query or fragment" }
        : any.parse(given);
    },
  };
};

const integer = (about: string, defaultValue: number, min: number, max: number): Variable => ({
  defaultText: String(defaultValue),
  about,
  parse: (given) => {
    const value = Number(given);
    return /^-?\d+$/.test(given) && value >= min && value <= max
      ? { value }
      : { problem: `must be a whole number from ${min} to ${max}` };
  },
});

const fraction = (about: string, defaultValue: number): Variable => ({
  defaultText: String(defaultValue),
  about,
  parse: (given) => {
    const value = Number(given);
    return value > 0 && value <= 1 ? { value } : { problem: "must be a number above 0 and at most 1" };
  },
});

const boolean = (about: string, defaultValue: boolean): Variable => ({
  defaultText: String(defaultValue),
  about,
  parse: (given) =>
    given === "true" || given === "false"
      ? { value: given === "true" }
      : { problem: "must be true or false" },
});

const oneOf = (about: string, values: readonly string[], defaultValue: string): Variable => ({
  defaultText: defaultValue,
  about,
  parse: (given) =>
    values.includes(given) ? { value: given } : { problem: `must be one of ${values.join(", ")}` },
});

const list = (about: string, check: (item: string) => string | undefined = () => undefined): Variable => ({
  emptyValue: [],
  about,
  parse: (given) => {
    const items = given
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
    const problem = items.map(check).find((found) => found !== undefined);
    return problem === undefined ? { value: items } : { problem };
  },
});

const cidr = (item: string): string | undefined =>
  parseCidr(item) === undefined ? `"${item}" is no IP address or CIDR range` : undefined;

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. */
const dnsServer = (item: string): string | undefined => {
  const [, address, port] =
    /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(item) ?? /^([\d.]+)(?::(\d{1,5}))?$/.exec(item) ?? [];
  return isIP(address ?? item) !== 0 && Number(port ?? 53) <= 65_535 && Number(port ?? 53) > 0
    ? undefined
    : `"${item}" is no IP address, with a port if need be`;
};

const limit = (about: string, defaultText: string): Variable => ({
  defaultText,
  about,
  parse: (given) => {
    const match = /^(\d+)\/(\d+)$/.exec(given);
    const [limitValue, windowSeconds] = [Number(match?.[1]), Number(match?.[2])];
    return match && limitValue > 0 && windowSeconds > 0
      ? { value: { limit: limitValue, windowSeconds } }
      : { problem: "must be <requests>/<seconds>, for example 600/60" };
  },
});

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];
const REDIS_SCHEMES = ["redis:", "rediss:", "redis+sentinel:"];
const HTTP_SCHEMES = ["http:", "https:"];

/** Every variable that the hub reads: the specification's list first, then its own. */
export const VARIABLES = {
  INTEGRATION_ENCRYPTION_KEY: secret(
    "key ring for stored secrets: `id:base64(32 bytes)`, comma-separated, the first seals; made under `HUB_HOME/keys` with the embedded Postgres",
    keyRingProblem,
  ),
  DEFAULT_RATE_LIMIT: integer(
    "calls out of one integration in a window, where its provider declares none",
    100,
    1,
    1_000_000,
  ),
  RATE_LIMIT_WINDOW_SECONDS: integer("that window", 60, 1, 86_400),
  DEFAULT_TIMEOUT_SECONDS: integer("connection and request timeout of calls out", 30, 1, 300),
  WEBHOOK_TIMEOUT_SECONDS: integer(
    "time to process one inbound webhook, and for one delivery attempt",
    30,
    1,
    300,
  ),
  DEFAULT_MAX_RETRIES: integer("retries of a call out", 3, 0, 20),
  WEBHOOK_MAX_RETRIES: integer("retries after the first try, inbound routing and deliveries", 5, 0, 20),
  CIRCUIT_FAILURE_THRESHOLD: integer("consecutive failures that open a circuit", 5, 1, 1000),
  CIRCUIT_TIMEOUT_SECONDS: integer("time an open circuit waits before half-open", 60, 1, 86_400),
  LOG_REQUEST_BODIES: boolean(
    "keep request bodies in receipts and logs (false drops a receipt's body once it is PROCESSED)",
    true,
  ),
  LOG_RESPONSE_BODIES: boolean("keep response bodies in logs", true),
  LOG_RETENTION_DAYS: integer("days that receipts, logs, deliveries and events are kept", 30, 1, 3650),
  WEBHOOK_QUEUE_SIZE: integer(
    "inbound messages that one worker process holds unacknowledged",
    1000,
    1,
    100_000,
  ),
  WEBHOOK_WORKERS: integer("inbound consumer loops of one worker process", 4, 1, 64),

  HOST: host("address that edge listens on", "127.0.0.1"),
  PORT: integer("port that edge listens on", 8080, 0, 65_535),
  PUBLIC_URL: baseUrl(
    "address under which senders reach the hub, for schemes that sign the URL; `http://HOST:PORT` when empty",
  ),
  HUB_HOME: text("data, keys and logs of the embedded services", ".hub"),
  EDGE_PROCESSES: integer("HTTP processes", 1, 1, 256),
  WORKER_PROCESSES: integer("worker processes", 1, 1, 256),
  DATABASE_URL: url(
    "Postgres 15 or newer, as the owner of the schema; replaces the embedded one",
    ["postgres:", "postgresql:"],
    true,
  ),
  DATABASE_APP_URL: url(
    "login of the role hub_app; derived from DATABASE_URL when empty",
    ["postgres:", "postgresql:"],
    true,
  ),
  DATABASE_SYSTEM_URL: url(
    "login of the role hub_system; derived from DATABASE_URL when empty",
    ["postgres:", "postgresql:"],
    true,
  ),
  REDIS_URL: url(
    "`redis://host:port`, `redis://h1:p1,h2:p2?cluster=true` or `redis+sentinel://h1:p1,h2:p2/master`; replaces the embedded one",
    REDIS_SCHEMES,
    true,
  ),
  REDIS_VOLATILE_URL: url(
    "a second Redis for data that may be lost (rate limits of the management API); REDIS_URL when empty",
    REDIS_SCHEMES,
    true,
  ),
  REDIS_DURABILITY: oneOf(
    "`relaxed` starts on a Redis that does not fsync every write; then a 200 can be lost, and /health/ready says so",
    ["always", "relaxed"],
    "always",
  ),
  ACK_REPLICAS: integer("replicas that must have a webhook before its 200", 0, 0, 5),
  STREAM_PARTITIONS: integer("partitions of each topic; fixed at the first start", 16, 1, 256),
  STREAM_CAPACITY: integer(
    "entries that one partition may hold before senders get 503",
    1_000_000,
    100,
    100_000_000,
  ),
  TENANT_CAPACITY_SHARE: fraction("share of the whole capacity that one tenant may fill", 0.25),
  DEDUPE_HOT_SECONDS: integer("time for which Redis remembers event ids", 43_200, 60, 604_800),
  DEDUPE_MEMORY_SHARE: fraction(
    "share of `maxmemory` (without one: of the Redis machine's memory) that event ids may take; beyond it Redis forgets the oldest early, and Postgres judges them",
    0.25,
  ),
  LOG_BODY_MAX_BYTES: integer("bytes of a body kept in a log row", 65_536, 0, 1_048_576),
  TRUSTED_PROXIES: list("addresses or CIDR ranges whose forwarding headers count", cidr),
  API_RATE_LIMIT: limit("management calls of one tenant: requests/seconds", "600/60"),
  AUTH_JWKS_URL: url("keys of the platform's Auth service", HTTP_SCHEMES),
  AUTH_JWT_SECRET: secret(
    "shared secret (HS256) instead of AUTH_JWKS_URL, 32 characters or more",
    sharedSecretProblem,
  ),
  AUTH_ISSUER: text("`iss` that a token must carry"),
  AUTH_AUDIENCE: text("`aud` that a token must carry"),
  EGRESS_ALLOW_CIDRS: list("private ranges that calls out may reach", cidr),
  EGRESS_ALLOW_HTTP: boolean("allow plain http targets", false),
  EGRESS_DNS_SERVERS: list("DNS servers for calls out; the machine's own when empty", dnsServer),
  ALERT_WEBHOOK_URL: url("where alerts are posted", HTTP_SCHEMES, true),
  ALERT_WEBHOOK_SECRET: secret(
    "`whsec_` and base64 of 24 to 64 bytes: signs them as in Standard Webhooks; unsigned when empty",
    alertSecretProblem,
  ),
  ALERT_EMAIL_TO: list("who gets alerts by mail"),
  SMTP_URL: url("mail server for alerts; `?from=` names the sender", ["smtp:", "smtps:"], true),
  LOG_LEVEL: oneOf("least severity that is logged", LOG_LEVELS, "info"),
  OTEL_EXPORTER_OTLP_ENDPOINT: url("OTLP/HTTP collector; spans are off when empty", HTTP_SCHEMES),
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof VARIABLES;
