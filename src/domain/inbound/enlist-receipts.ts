import { inboundKeys, partitionOf } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { inboundScripts, receiptMember } from "./inbound-scripts.ts";
import type { ReceiptName } from "./receipt-store.ts";

/** A receipt that waits, and for what: a time in milliseconds, now by Redis' own clock, or its paused endpoint. */
export interface WaitingReceipt extends ReceiptName {
  due: number | "now" | "held";
}

/** Members of one call: Lua holds up everybody on this Redis while it runs. */
const BATCH_SIZE = 200;

/**
 * Takes receipts into the books of Redis. What waits there already is left alone and not counted again, so a repeated
 * call changes nothing.
 *
 * @returns how many were new
 * @throws when Redis is away
 */
export async function enlistReceipts(runtime: Runtime, receipts: readonly WaitingReceipt[]): Promise<number> {
  const { enlist } = inboundScripts(runtime.redis);
  const byPartition = Map.groupBy(receipts, ({ endpointId }) =>
    partitionOf(endpointId, runtime.config.streamPartitions),
  );
  let taken = 0;
  for (const [partition, members] of byPartition) {
    const { retry, held, ledger } = inboundKeys(partition);
    for (let start = 0; start < members.length; start += BATCH_SIZE) {
      const args = members
        .slice(start, start + BATCH_SIZE)
        .flatMap((receipt) => [receiptMember(receipt), receipt.due]);
      taken += Number(await enlist([retry, held, ledger], args));
    }
  }
  return taken;
}

/**
 * Takes replayed receipts into the books once their change is committed. Redis being away is no error then: the
 * receipts stand as RETRYING, and `enlistForgotten` finds them.
 */
export async function enlistReplayed(runtime: Runtime, receipts: readonly ReceiptName[]): Promise<void> {
  try {
    await enlistReceipts(
      runtime,
      receipts.map((receipt) => ({ ...receipt, due: "now" })),
    );
  } catch (error) {
    runtime.log.warn({ err: error, receipts: receipts.length }, "replay waits for Redis");
  }
}
