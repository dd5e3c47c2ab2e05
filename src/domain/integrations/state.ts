/** Status of an integration (specification, `integrations.status`). */
export type IntegrationStatus = "ACTIVE" | "PAUSED" | "ERROR" | "PENDING_AUTH";

/** What can happen to an integration. */
export type StatusCause =
  /** A connection test, at creation, at enabling or asked for, passed. */
  | "test_passed"
  /** It failed. */
  | "test_failed"
  /** The tenant asked for no test at creation. */
  | "test_skipped"
  /** Somebody has to log in with the provider first. */
  | "authorization_needed"
  /** The log-in came through, and what it gave works. */
  | "authorized"
  /** The provider takes the credential no longer: `invalid_grant`, a lost refresh. */
  | "authorization_lost"
  /** A call of the gateway succeeded. */
  | "call_succeeded"
  /** The connection was found broken by the hub's own check. */
  | "connection_lost"
  | "enabled"
  | "disabled";

/**
 * What becomes of which status; a cause that is not named changes nothing. PAUSED keeps everything and lets nothing
 * happen: it is left by `enabled` alone, which follows a passed test. `NEW` is an integration that is being created.
 */
export const TRANSITIONS: Readonly<
  Record<IntegrationStatus | "NEW", Partial<Readonly<Record<StatusCause, IntegrationStatus>>>>
> = {
  NEW: {
    test_passed: "ACTIVE",
    test_failed: "ERROR",
    test_skipped: "PAUSED",
    authorization_needed: "PENDING_AUTH",
  },
  ACTIVE: {
    test_failed: "ERROR",
    connection_lost: "ERROR",
    authorization_needed: "PENDING_AUTH",
    authorization_lost: "PENDING_AUTH",
    disabled: "PAUSED",
  },
  PAUSED: { enabled: "ACTIVE" },
  ERROR: {
    test_passed: "ACTIVE",
    enabled: "ACTIVE",
    authorized: "ACTIVE",
    call_succeeded: "ACTIVE",
    authorization_needed: "PENDING_AUTH",
    authorization_lost: "PENDING_AUTH",
    disabled: "PAUSED",
  },
  PENDING_AUTH: {
    authorized: "ACTIVE",
    enabled: "ACTIVE",
    test_passed: "ACTIVE",
    test_failed: "ERROR",
    disabled: "PAUSED",
  },
};

/** The status after a cause; the same one when the cause changes nothing. */
export function nextStatus(from: IntegrationStatus | "NEW", cause: StatusCause): IntegrationStatus {
  const next = TRANSITIONS[from][cause] ?? from;
  if (next === "NEW") throw new Error(`No integration begins with "${cause}"`);
  return next;
}

/** The event that a change of status is told by; undefined when it is none of connection (DESIGN.md section 8). */
export function connectionEvent(
  from: IntegrationStatus | "NEW",
  to: IntegrationStatus,
): "integration.connected" | "integration.disconnected" | undefined {
  if (to === "ACTIVE" && from !== "ACTIVE") return "integration.connected";
  return from === "ACTIVE" && (to === "ERROR" || to === "PENDING_AUTH")
    ? "integration.disconnected"
    : undefined;
}
