import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A test that proves a line: file below `test/`, and the beginning of the test's name. */
type Proof = readonly [file: string, test: string];

/** One line of the specification's "Testing Checklist". */
interface Line {
  section: "Unit Tests" | "Integration Tests" | "E2E Tests";
  line: string;
  proofs: readonly Proof[];
  /** What of the line belongs to a capability that is still to come; left out when the line is proved whole. */
  open?: string;
}

/** The specification's testing checklist, in its order and its words. */
const CHECKLIST: readonly Line[] = [
  {
    section: "Unit Tests",
    line: "Credential encryption/decryption",
    proofs: [
      ["vault/aead.test.ts", "open() gives back what seal() took"],
      ["vault/aead.test.ts", "open() refuses every changed bit"],
      ["vault/vault.test.ts", "openSecret() gives back the text"],
      ["vault/vault.test.ts", "openSecret() refuses a blob that was moved"],
    ],
  },
  {
    section: "Unit Tests",
    line: "Webhook signature verification",
    proofs: [
      ["inbound/verify-signature.test.ts", "takes every hash in every encoding"],
      ["inbound/verify-signature.test.ts", "refuses a signature of another hash"],
      ["inbound/bad-input.test.ts", "doubled is refused with 400"],
      ["inbound/rejections.test.ts", "names the endpoint whose secret was used"],
      ["inbound/schemes/vectors.test.ts", "compileVerifier() accepts it"],
      ["inbound/schemes/tampering.test.ts", "compileVerifier() refuses any changed byte of the signed body"],
      ["inbound/scheme-answers.test.ts", "WooCommerce's ping is answered without a signature"],
      ["inbound/schemes-composed.test.ts", "aws-sns: refuses any change of a signed field"],
      ["inbound/schemes-over-http.test.ts", "acceptWebhook() takes Asana's secret in its handshake, once"],
      ["inbound/vectors-over-http.test.ts", "acceptWebhook() takes it with its headers in capitals"],
      ["inbound/provider-addresses.test.ts", "asks for a certificate only at the service's own host"],
    ],
  },
  {
    section: "Unit Tests",
    line: "Rate limit calculation",
    proofs: [
      ["inbound/accept.test.ts", "refuses what exceeds the endpoint's rate"],
      ["rate-limit/admission.test.ts", "admit() keeps several quotas at once"],
      ["rate-limit/admission.test.ts", "admit() goes by priority, then by arrival, and lets one low in"],
      ["rate-limit/admission.test.ts", "finish() takes the limit that the provider reports"],
      ["rate-limit/processes.test.ts", "admit() keeps any mix of quotas within a model of sliding windows"],
      [
        "rate-limit/processes.test.ts",
        "four processes never exceed 10 a second, 100 a minute and 1,200 an hour",
      ],
    ],
  },
  {
    section: "Unit Tests",
    line: "Circuit breaker state transitions",
    proofs: [
      ["circuit-breaker/breaker-state.test.ts", "opens with the fifth consecutive failure, not before"],
      ["circuit-breaker/breaker-state.test.ts", "lets nothing go for 60 s, then one probe at a time"],
      ["circuit-breaker/breaker-state.test.ts", "closes with the third successful probe"],
      [
        "circuit-breaker/breaker-state.test.ts",
        "admit() and finish() move a circuit in Redis exactly as the state machine does",
      ],
    ],
  },
  {
    section: "Unit Tests",
    line: "Transformation rule application",
    proofs: [
      ["transformations/jsonata-pool.test.ts", "maps a document given as JSON text or as a value"],
      ["transformations/jsonata-pool.test.ts", "stops endless recursion"],
      ["transformations/templates.test.ts", "creates a template with version 1, whose tests ran"],
      ["transformations/preview.test.ts", "shows the output, and what each rule did and how long it took"],
      ["transformations/preview.test.ts", "reads X12 by its readable names"],
      ["transformations/inbound-flow.test.ts", "maps XML to its handler's model, compressed or not"],
      ["transformations/outbound-flow.test.ts", "holds its deliveries while the template rests or is off"],
      ["transformations/gateway-headers.test.ts", "callThroughTemplates() maps the body on its way out"],
      [
        "transformations/system-templates.test.ts",
        "load, status and invoice come back from their XML as they were",
      ],
      [
        "edi/inbound-flow.test.ts",
        "reaches the target as a load; the partner gets a 997 by an edi.document event",
      ],
      [
        "e2e/edi-tender.test.ts",
        "becomes a load at the target, is acknowledged by a 997, and its acceptance goes out as a 990",
      ],
    ],
  },
  {
    section: "Unit Tests",
    line: "Retry logic with backoff",
    proofs: [
      ["inbound/receipt-state.test.ts", "waits 1 m, 5 m, 15 m, 1 h and 2 h"],
      ["inbound/receipt-state.test.ts", "spreads each wait by a tenth"],
      ["inbound/receipt-state.test.ts", "gives up at once what cannot pass later"],
      ["inbound/worker.test.ts", "tries an unavailable target again after a minute"],
      ["inbound/worker.test.ts", "gives a target up after the sixth try"],
      ["deliveries/next-state.test.ts", "repeats at 1 m, 5 m, 15 m, 1 h and 2 h"],
      ["deliveries/next-state.test.ts", "lets Retry-After lengthen an interval"],
      ["gateway/bad-providers.test.ts", "callProvider() tries 500s again for a GET, a row for each try"],
      ["gateway/decisions.test.ts", "chooses from the whole span, which doubles up to ten seconds"],
      ["deliveries/delivery.test.ts", "a receiver that fails k times"],
    ],
  },
  {
    section: "Integration Tests",
    line: "OAuth flow completion",
    proofs: [
      ["oauth/login.test.ts", "a person logs in with PKCE"],
      ["oauth/login.test.ts", "another browser cannot finish"],
      ["oauth/refresh.test.ts", "ensureFreshToken() of 4 processes with 50 callers each makes one refresh"],
      ["oauth/refresh.test.ts", "killed between the answer and its first commit"],
      ["oauth/refresh.test.ts", "deleting an integration gives its tokens back"],
    ],
  },
  {
    section: "Integration Tests",
    line: "Webhook endpoint registration",
    proofs: [
      ["edge/webhook-endpoints.test.ts", "creates an endpoint under a generated path"],
      ["edge/webhook-endpoints.test.ts", "takes the provider's own secret"],
      ["inbound/accept.test.ts", "accepts a signed webhook"],
    ],
  },
  {
    section: "Integration Tests",
    line: "Outbound webhook delivery",
    proofs: [
      ["deliveries/delivery.test.ts", "an event arrives signed"],
      ["deliveries/states.test.ts", "is disabled after ten failed attempts in a row"],
      ["deliveries/crash.test.ts", "lose nothing"],
      ["deliveries/crash.test.ts", "gets every one back from Postgres"],
      ["kill/outbound-rounds.test.ts", "hub delivers every accepted event through"],
    ],
  },
  {
    section: "Integration Tests",
    line: "API request logging",
    proofs: [
      ["api-logs/writer.test.ts", "appendApiLogs() stores every column"],
      ["api-logs/search.test.ts", "searchApiLogs() finds by each filter"],
      ["api-logs/redact.test.ts", "headers() removes the values of secret headers"],
    ],
  },
  { section: "Integration Tests", line: "Sync job execution", proofs: [], open: "sync jobs" },
  {
    section: "Integration Tests",
    line: "Provider connectivity",
    proofs: [
      ["providers/provider-requests.test.ts", "are all there: a verify request or the log-in's own"],
      ["providers/provider-requests.test.ts", "the server refuses what differs in one header"],
      ["providers/environments.test.ts", "overrides cannot send a sandbox to production"],
    ],
  },
  {
    section: "E2E Tests",
    line: "Full integration setup flow",
    proofs: [["e2e/integration-set-up.test.ts", "an integration is created, authorized, tested"]],
    open: "the console",
  },
  {
    section: "E2E Tests",
    line: "Webhook round-trip",
    proofs: [
      ["inbound/accept.test.ts", "accepts a signed webhook, answers its receipt id"],
      [
        "inbound/round-trip.cluster-smoke.test.ts",
        "webhooks of many endpoints go from the socket to their HTTP",
      ],
      ["inbound/worker.test.ts", "posts the bytes to an HTTP target"],
      ["inbound/worker.test.ts", "puts the message into a stream target"],
      ["inbound/worker-bodies.test.ts", "into the handler's model is checked and routed"],
      ["e2e/published-event.test.ts", "takes a partner's signed webhook and tells a subscriber"],
    ],
  },
  { section: "E2E Tests", line: "Batch sync processing", proofs: [], open: "sync jobs" },
  {
    section: "E2E Tests",
    line: "Error handling and recovery",
    proofs: [
      ["edge/conventions.test.ts", "shows nothing of a fault of ours"],
      ["inbound/bad-input.test.ts", "truncated by a client that leaves stores nothing"],
      ["inbound/worker-crash.test.ts", "killed with 2,000 webhooks in its hands"],
      ["inbound/worker-crash.test.ts", "that a webhook kills three times leaves it as a dead letter"],
      ["inbound/worker-repeats.test.ts", "after its receipt was stored is booked with that outcome"],
      ["inbound/rejections-started.test.ts", "a Stripe delivery that was refused for a line break"],
      ["kill/kill-rounds.test.ts", "hub keeps every 200 through a"],
      ["faults/failover.test.ts", "hub recovers by itself when a master of"],
    ],
  },
  {
    section: "E2E Tests",
    line: "Circuit breaker behavior",
    proofs: [
      ["circuit-breaker/circuit.test.ts", "opens over four processes after five failures"],
      ["circuit-breaker/circuit.test.ts", "trip and reset a circuit, each once in events"],
      ["alerts/alerts.test.ts", "sendAlerts() posts an alert that a Standard Webhooks library verifies"],
      ["gateway/circuit-and-limits.test.ts", "callProvider() opens the circuit after five 5xx"],
      ["gateway/circuit-and-limits.test.ts", "callProvider() goes to the manifest's fallback server"],
    ],
  },
];

/** Names of a file's tests, as far as they are written as text. */
function testNames(file: string): string[] {
  const text = readFileSync(join(import.meta.dirname, file), "utf8");
  return [...text.matchAll(/\b(?:test|it)(?:\.\w+)?(?:<[^(]*>)?\(\s*(["'`])(.+?)\1\s*,/gs)].map(
    (match) => match[2]!,
  );
}

describe("the specification's testing checklist", () => {
  test("is complete: 6 unit, 6 integration and 5 end-to-end lines, each once", () => {
    const count = (section: Line["section"]): number =>
      CHECKLIST.filter((line) => line.section === section).length;
    expect([count("Unit Tests"), count("Integration Tests"), count("E2E Tests")]).toEqual([6, 6, 5]);
    expect(new Set(CHECKLIST.map(({ section, line }) => section + line)).size).toBe(CHECKLIST.length);
  });

  test.each(CHECKLIST.map((line) => [`${line.section}: ${line.line}`, line] as const))(
    "%s names tests that exist, or what is open",
    (_name, { proofs, open }) => {
      expect(proofs.length > 0 || open !== undefined).toBe(true);
      const missing = proofs.filter(([file, name]) => {
        if (!existsSync(join(import.meta.dirname, file))) return true;
        return !testNames(file).some((known) => known.startsWith(name));
      });
      expect(missing).toEqual([]);
    },
  );
});
