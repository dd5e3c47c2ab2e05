import type { ConsumerSlot } from "./consumer-slot.ts";

/** One entry that this process has read and not settled. */
export interface HeldEntry {
  /** The lease under which it was read; it may be finished only while that holds. */
  session: ConsumerSession;
  partition: number;
  /** Stream id, `<ms>-<sequence>`. */
  id: string;
  /** Flat list of field names and values. */
  fields: string[];
  /** How often the entry was given to a consumer, this time included. */
  deliveries: number;
}

/** What one process holds under one consumer slot. A lost slot ends the session, and with it the right to finish. */
export class ConsumerSession {
  readonly slot: ConsumerSlot;
  /** Stream ids held, by partition. */
  readonly held: readonly Set<string>[];

  constructor(slot: ConsumerSlot, partitions: number) {
    this.slot = slot;
    this.held = Array.from({ length: partitions }, () => new Set<string>());
  }

  /** True while no other process can have taken this session's entries over. */
  mayFinish(): boolean {
    return this.slot.held();
  }
}

/** Reply of XREADGROUP for one stream, or of XCLAIM: entries as `[id, fields]`; null stands for a deleted one. */
export type RawEntry = [id: string, fields: string[]] | null;

/** Entries of an XREADGROUP reply over one stream; none when the reply is nil. */
export function entriesOfRead(reply: unknown): RawEntry[] {
  if (reply === null || reply === undefined) return [];
  return (reply as [string, RawEntry[]][])[0]?.[1] ?? [];
}
