import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import { changeStatus } from "./change-status.ts";
import type { TriedConnection } from "./create-integration.ts";
import type { TestResult } from "./schema.ts";
import type { IntegrationStatus, StatusCause } from "./state.ts";
import { type IntegrationRow, saveIntegrationState } from "./store.ts";
import { storeTokens } from "./token-store.ts";

/** Who asked for the test, which decides what a result does to the status. */
export type TestPurpose = "asked" | "enable" | "idle";

/**
 * What a test's result does. A limit that was met shows that the credential works. An outage takes an integration out of
 * ACTIVE when it is seen twice in a row by the hub's own check: the breaker handles a short one.
 */
export function causeOfTest(
  purpose: TestPurpose,
  test: Pick<TestResult, "passed" | "kind">,
  before: Pick<IntegrationRow, "status" | "lastTest">,
): StatusCause | undefined {
  if (test.passed) return purpose === "enable" ? "enabled" : "test_passed";
  if (test.kind === "limit") return undefined;
  if (purpose === "idle") {
    const isRepeated = before.lastTest?.passed === false;
    return test.kind === "outage" && !isRepeated ? undefined : "connection_lost";
  }
  return before.status === "ACTIVE" && test.kind === "outage" ? undefined : "test_failed";
}

/**
 * Stores what a test of a stored integration found, with what it does to the status.
 *
 * @param row locked; `tested` is the version of its configuration that was tested: a result for another one counts no more
 * @returns the status from now on
 */
export async function saveTest(
  runtime: Runtime,
  tx: Transaction,
  row: IntegrationRow,
  input: { tried: TriedConnection; tested: number; purpose: TestPurpose; correlationId?: string },
): Promise<IntegrationStatus> {
  const { tried, purpose, correlationId } = input;
  const { test } = tried;
  if (row.configVersion !== input.tested) return row.status;
  if (tried.tokens !== undefined) {
    const { id, tenantId, oauthVersion: version } = row;
    await storeTokens(runtime, tx, { id, tenantId, version, ...tried.tokens, derived: tried.derived });
  }
  const now = new Date(test.testedAt);
  const cause = causeOfTest(purpose, test, row);
  const error = test.passed ? undefined : { code: test.code, message: test.message };
  const more = {
    ...(error === undefined ? {} : { error }),
    ...(correlationId === undefined ? {} : { correlationId }),
  };
  if (cause !== undefined) return changeStatus(tx, row, { cause, now, test, ...more });
  await saveIntegrationState(tx, row, {
    lastTest: test,
    lastTestAt: now,
    lastCallAt: now,
    ...(error === undefined
      ? {}
      : { lastError: `${error.code}: ${error.message}`, lastErrorAt: now, errors: 1 }),
  });
  return row.status;
}
