import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Environment, IntegrationStatus } from "./schema.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = Type.String({ format: "date-time" });

export const HealthState = Type.Union(
  [
    Type.Literal("healthy"),
    Type.Literal("degraded"),
    Type.Literal("failing"),
    Type.Literal("paused"),
    Type.Literal("pending_auth"),
  ],
  {
    description:
      "failing: in ERROR or the circuit is open. degraded: the circuit is half open, a quota is used up, or less than " +
      "95 % of the last five minutes' calls succeeded.",
  },
);
export type HealthState = Static<typeof HealthState>;

export const Circuit = Type.Object({
  state: Type.Union([Type.Literal("CLOSED"), Type.Literal("OPEN"), Type.Literal("HALF_OPEN")]),
  failureCount: Type.Number(),
  openedAt: Nullable(Time),
  nextProbeAt: Nullable(Time),
});

export const QuotaUse = Type.Object({
  name: Type.String(),
  limit: Type.Integer(),
  used: Type.Number(),
  remaining: Type.Number(),
  windowStart: Time,
  windowEnd: Time,
});
export type QuotaUse = Static<typeof QuotaUse>;

/** What the provider's limits leave at this moment. */
export const LiveLimits = Type.Object({
  waiting: Type.Integer({ description: "Calls that wait for their turn." }),
  inFlight: Type.Integer(),
  inFlightMax: Nullable(
    Type.Integer({ description: "Most calls at once; null where there is no such limit." }),
  ),
  heldMs: Type.Integer({ description: "For so long the provider wants no call (Retry-After)." }),
  quotas: Type.Array(
    Type.Object({
      name: Type.String(),
      limit: Type.Integer(),
      windowSeconds: Type.Number(),
      remaining: Type.Integer(),
      nextMs: Type.Integer({ description: "Time until a unit is free; 0 when one is." }),
    }),
  ),
});
export type LiveLimits = Static<typeof LiveLimits>;

export const CallWindow = Type.Object({
  calls: Type.Integer(),
  successes: Type.Integer(),
  successRate: Nullable(Type.Number({ description: "0 to 1; null without calls." })),
  averageMs: Nullable(Type.Number()),
  p50Ms: Nullable(Type.Number()),
  p95Ms: Nullable(Type.Number()),
  p99Ms: Nullable(Type.Number()),
  isSample: Type.Boolean({ description: "True: there were more calls; these are the newest." }),
});
export type CallWindow = Static<typeof CallWindow>;

const summary = {
  integrationId: Type.String({ format: "uuid" }),
  name: Type.String(),
  providerCode: Type.String(),
  environment: Environment,
  status: IntegrationStatus,
  isEnabled: Type.Boolean(),
  health: HealthState,
  circuit: Circuit,
  lastSuccessfulCall: Nullable(Time),
  lastError: Nullable(Type.String()),
  lastErrorAt: Nullable(Time),
  errorCount: Type.Number(),
  lastTestAt: Nullable(Time),
  tokenExpiresAt: Nullable(Time),
};

/** One integration in the list of all. */
export const IntegrationHealthSummary = Type.Object({ ...summary, last5Minutes: CallWindow });
export type IntegrationHealthSummary = Static<typeof IntegrationHealthSummary>;

/** Health of one integration. */
export const IntegrationHealth = Type.Object({
  ...summary,
  token: Nullable(
    Type.Object({
      expiresAt: Nullable(Time),
      secondsLeft: Nullable(Type.Integer({ description: "Negative: expired." })),
      loginEndsAt: Nullable(Time),
    }),
  ),
  quotas: Type.Array(QuotaUse, {
    description: "Calls of this hour, against the most that the quotas allow in an hour.",
  }),
  limits: Nullable(LiveLimits),
  windows: Type.Object({ last5Minutes: CallWindow, lastHour: CallWindow, last24Hours: CallWindow }),
});
export type IntegrationHealth = Static<typeof IntegrationHealth>;

/** Calls of one hour. */
export const StatsHour = Type.Object({
  hour: Time,
  calls: Type.Integer(),
  successes: Type.Integer(),
  clientErrors: Type.Integer(),
  serverErrors: Type.Integer(),
  timeouts: Type.Integer(),
  retries: Type.Integer(),
  averageMs: Nullable(Type.Number()),
  p95Ms: Nullable(Type.Number()),
  bytesSent: Type.Number(),
  bytesReceived: Type.Number(),
});
export type StatsHour = Static<typeof StatsHour>;

export const IntegrationStats = Type.Object({
  integrationId: Type.String({ format: "uuid" }),
  from: Time,
  to: Time,
  totals: Type.Omit(StatsHour, ["hour", "averageMs", "p95Ms"]),
  hours: Type.Array(StatsHour, { description: "Oldest first, hours without calls too." }),
});
export type IntegrationStats = Static<typeof IntegrationStats>;
