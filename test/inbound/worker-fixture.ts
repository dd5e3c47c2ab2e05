import type { Server } from "bun";
import { putService } from "../../src/domain/services/put-service.ts";
import { checkConservation } from "../../src/domain/inbound/check-conservation.ts";
import { receiptMember } from "../../src/domain/inbound/inbound-scripts.ts";
import { loadConfig } from "../../src/platform/config.ts";
import { retryUntil } from "../../src/platform/process/retry-until.ts";
import { inboundKeys, partitionOf } from "../../src/platform/redis/keys.ts";
import { createRuntime } from "../../src/platform/runtime.ts";
import { inbound } from "../../workers/inbound.ts";
import { type EdgeFixture, sendGithub } from "./edge-fixture.ts";

/** Far longer than anything takes; shorter than a test, so that a failure has a name. */
const WAIT_MS = 50_000;

/** Columns of a receipt that tests look at. */
export interface StoredReceipt {
  id: string;
  endpointId: string;
  status: string;
  attemptCount: number;
  errorCode: string | null;
  errorMessage: string | null;
  duplicateOf: string | null;
  nextRetryAt: Date | null;
  body: Uint8Array | null;
  bodyDropped: boolean;
  output: Uint8Array | null;
}

/** An inbound worker in this process, beside the edge and with the same settings. */
export async function startWorker(
  edge: EdgeFixture,
  env: Record<string, string> = {},
): Promise<{ stop(): Promise<void> }> {
  const config = loadConfig({
    DATABASE_URL: edge.postgres.ownerUrl,
    REDIS_URL: edge.redis.url,
    INTEGRATION_ENCRYPTION_KEY: edge.postgres.encryptionKey,
    LOG_LEVEL: "silent",
    STREAM_PARTITIONS: String(edge.runtime.config.streamPartitions),
    DEDUPE_HOT_SECONDS: String(edge.runtime.config.dedupeHotSeconds),
    ...env,
  });
  const runtime = createRuntime(config, "worker", { clock: edge.runtime.clock });
  const worker = await inbound.start(runtime);
  return {
    async stop() {
      await worker.stop();
      await runtime.shutdown.run();
    },
  };
}

/** Waits until the condition holds. @throws Error that names it when it does not come true */
export function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const attempt = async (): Promise<void> => {
    if (!(await holds())) throw new Error(`Not within ${WAIT_MS / 1000} s: ${what}`);
  };
  return retryUntil(attempt, { everyMs: 20, timeoutMs: WAIT_MS });
}

/** Sends a webhook that must be accepted. @returns the receipt's id */
export async function accepted(
  edge: EdgeFixture,
  path: string,
  delivery: Parameters<typeof sendGithub>[2] = {},
): Promise<string> {
  const answer = await sendGithub(edge, path, delivery);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`not accepted: ${answer.status} ${text}`);
  return (JSON.parse(text) as { id: string }).id;
}

/** Sends many at once. @returns the receipts' ids in the order of sending */
export async function acceptMany(edge: EdgeFixture, path: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let start = 0; start < count; start += 100) {
    const size = Math.min(100, count - start);
    ids.push(...(await Promise.all(Array.from({ length: size }, () => accepted(edge, path)))));
  }
  return ids;
}

/** Receipts of an endpoint, oldest first. */
export function receiptsOf(edge: EdgeFixture, endpointId: string): Promise<StoredReceipt[]> {
  return edge.runtime.sqlSystem<StoredReceipt[]>`
    select id, endpoint_id as "endpointId", status, attempt_count as "attemptCount", error_code as "errorCode",
      error_message as "errorMessage", duplicate_of as "duplicateOf", next_retry_at as "nextRetryAt", body,
      body_dropped as "bodyDropped", output
    from webhook_receipts where endpoint_id = ${endpointId} order by id`;
}

/** Waits until the receipt has this state. */
export async function receiptWith(edge: EdgeFixture, id: string, status: string): Promise<StoredReceipt> {
  let found: StoredReceipt | undefined;
  await until(`receipt is ${status}`, async () => {
    [found] = await edge.runtime.sqlSystem<StoredReceipt[]>`
      select id, endpoint_id as "endpointId", status, attempt_count as "attemptCount", error_code as "errorCode",
        error_message as "errorMessage", duplicate_of as "duplicateOf", next_retry_at as "nextRetryAt", body,
        body_dropped as "bodyDropped", output
      from webhook_receipts where id = ${id}`;
    if (found !== undefined && found.status !== status && found.status === "DEAD")
      throw new Error(`receipt is DEAD: ${found.errorCode} ${found.errorMessage}`);
    return found?.status === status;
  });
  return found!;
}

/** Waits until as many receipts of the endpoint have this state. */
export function countWith(
  edge: EdgeFixture,
  endpointId: string,
  status: string,
  count: number,
): Promise<void> {
  return until(`${count} receipts are ${status}`, async () => {
    const [row] = await edge.runtime.sqlSystem<{ count: string }[]>`
      select count(*) as count from webhook_receipts where endpoint_id = ${endpointId} and status = ${status}`;
    return Number(row!.count) === count;
  });
}

/** Makes a receipt's next try due now, as if its waiting time were over. Waits until it stands in the retry set. */
export async function makeDue(edge: EdgeFixture, receipt: { id: string; endpointId: string }): Promise<void> {
  const { retry } = inboundKeys(partitionOf(receipt.endpointId, edge.runtime.config.streamPartitions));
  const member = receiptMember({ ...receipt, tenantId: edge.ctx.tenantId });
  await until(
    "receipt waits for its retry",
    async () => (await edge.runtime.redis.zscore(retry, member)) !== null,
  );
  await edge.runtime.redis.zadd(retry, "XX", 0, member);
}

/** Waits until both sides of the books are equal and nothing is in a stream. */
export function untilIdle(edge: EdgeFixture): Promise<void> {
  return until("streams are empty", async () => (await checkConservation(edge.runtime)).waiting === 0);
}

/** One request that a target was sent. */
export interface TargetRequest {
  headers: Headers;
  body: Uint8Array;
}

/** An HTTP target in this process that answers as it is told. */
export class HttpTarget {
  readonly requests: TargetRequest[] = [];
  /** Answer to the next requests; may wait. */
  answer: (request: TargetRequest) => Response | Promise<Response> = () => new Response();
  readonly #server: Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 60,
      fetch: async (incoming) => {
        const request = { headers: incoming.headers, body: await incoming.bytes() };
        this.requests.push(request);
        return this.answer(request);
      },
    });
  }

  get url(): string {
    return this.#server.url.href;
  }

  /** Receipt ids in the order of their coming, repetitions included. */
  ids(): string[] {
    return this.requests.map(({ headers }) => headers.get("hub-receipt-id") ?? "");
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}

/** Registers an HTTP service for the fixture's tenant. */
export async function registerHttp(edge: EdgeFixture, name: string, url: string): Promise<void> {
  await putService(edge.ctx, { name, service: { kind: "HTTP", url } });
}
