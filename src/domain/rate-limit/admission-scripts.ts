import { admissionKeys, ADMISSION_WAKE_PREFIX, quotaKey } from "../../platform/redis/keys.ts";
import { bindScript, type RedisClient } from "../../platform/redis/script.ts";
import admitLua from "./admit.lua" with { type: "text" };
import batchLua from "./batch.lua" with { type: "text" };
import blockLua from "./block.lua" with { type: "text" };
import type {
  AdmissionBlock,
  AdmissionCall,
  AdmissionLease,
  AdmissionScope,
  CallResult,
  CircuitReading,
  Quota,
} from "./admission-call.ts";
import finishLua from "./finish.lua" with { type: "text" };
import leaveLua from "./leave.lua" with { type: "text" };
import lookLua from "./look.lua" with { type: "text" };
import quotasLua from "./quotas.lua" with { type: "text" };
import renewLua from "./renew.lua" with { type: "text" };
import { ScriptBatcher } from "./script-batcher.ts";
import turnsLua from "./turns.lua" with { type: "text" };

type BoundScript = (keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** The scripts of admission; each file's header says what it takes and guarantees. */
export interface AdmissionScripts {
  admit: BoundScript;
  finish: BoundScript;
  block: BoundScript;
  leave: BoundScript;
  renew: BoundScript;
  look: BoundScript;
}

/** Binds the scripts to a client, each behind the functions that they share; what every call needs goes in batches. */
export function admissionScripts(client: RedisClient): AdmissionScripts {
  const bind = (name: string, lua: string): BoundScript =>
    bindScript(client, { name, lua: `${quotasLua}\n${turnsLua}\n${lua}` });
  const verb = (name: string, lua: string): string =>
    `local function ${name}(KEYS, ARGV)\n${turnsLua}\n${lua}\nend\n`;
  const batcher = new ScriptBatcher(client, {
    name: "hubAdmissionBatch",
    lua: `${quotasLua}\n${verb("admit", admitLua)}${verb("finish", finishLua)}${verb("block", blockLua)}${batchLua}`,
  });
  return {
    admit: (keys, args) => batcher.ask("a", keys, args),
    finish: (keys, args) => batcher.ask("f", keys, args),
    block: (keys, args) => batcher.ask("b", keys, args),
    leave: bind("hubAdmissionLeave", leaveLua),
    renew: bind("hubAdmissionRenew", renewLua),
    look: bind("hubAdmissionLook", lookLua),
  };
}

const CLASSES = { high: 0, normal: 1, low: 2 } as const;
/** A queue holds this many times the smallest limit. */
const PLACES_OF_LIMIT = 10;
/** A wrong unit in a provider's header must not stop an integration for good. */
const REPORT_MAX_MS = 24 * 3_600_000;

const isShared = (call: Pick<AdmissionCall, "quotas" | "sharedConcurrency">): boolean =>
  call.sharedConcurrency !== undefined || call.quotas.some(({ scope }) => scope === "provider");
const flag = (value: boolean): string => (value ? "1" : "");

/** KEYS 1 to 9 of every script. */
export function scopeKeys(scope: AdmissionScope): string[] {
  return Object.values(admissionKeys(scope));
}

/** KEYS of calls with these quotas, by integration and route: the same ones again with every call. */
const knownKeys = new WeakMap<readonly Quota[], Map<string, readonly string[]>>();
/** Quotas are those of one provider's version, so they have few integrations in one process at a time. */
const KEYS_MAX = 10_000;

const NO_QUOTAS: readonly Quota[] = [];

type QuotaCall = AdmissionScope & Pick<AdmissionCall, "quotas">;

function keysOf(call: QuotaCall): string[] {
  const { state, sharedState } = admissionKeys(call);
  const quotas = call.quotas.map((quota) =>
    quotaKey(quota.scope === "provider" ? sharedState : state, quota),
  );
  return [...scopeKeys(call), ...quotas];
}

/** KEYS of a script that touches all quotas of a call. */
export function callKeys(call: QuotaCall): readonly string[] {
  let known = knownKeys.get(call.quotas);
  if (known === undefined) knownKeys.set(call.quotas, (known = new Map()));
  const name = `${call.integrationId} ${call.providerId} ${call.environment} ${call.route ?? ""}`;
  let keys = known.get(name);
  if (keys === undefined) {
    keys = keysOf(call);
    if (known.size >= KEYS_MAX) known.clear();
    known.set(name, keys);
  }
  return keys;
}

/** Name, scope, limit, window and weight of a quota; more than its limit no call can take. */
export function quotaArguments({ name, scope, limit, windowMs, weight }: Quota): (string | number)[] {
  return [name, scope === "provider" ? "s" : "", limit, windowMs, Math.min(weight, limit)];
}

/** ARGV of `admit`. */
export function admitArguments(
  call: AdmissionCall,
  ask: { member: string; arrival: string; leaseMs: number; patienceMs: number },
): (string | number)[] {
  const smallest = Math.min(...call.quotas.map(({ limit }) => limit));
  return [
    ask.member,
    call.integrationId,
    CLASSES[call.priority],
    ask.arrival,
    ask.leaseMs,
    smallest * PLACES_OF_LIMIT,
    Math.max(0, Math.floor(ask.patienceMs)),
    call.circuit.timeoutMs,
    call.concurrency ?? 0,
    call.sharedConcurrency ?? 0,
    flag(isShared(call)),
    ADMISSION_WAKE_PREFIX,
    ...call.quotas.flatMap(quotaArguments),
  ];
}

/** KEYS and ARGV of `finish`; of the quotas only those that it changes. */
export function finishParts(
  { call, countedAtMs, block, takenUnits }: AdmissionLease,
  end: { member: string; result: CallResult; nowMs: number },
): { keys: readonly string[]; args: (string | number)[] } {
  const { result } = end;
  const isUnsent = result.isSent === false;
  const whole = (value: number | undefined, max = Number.MAX_SAFE_INTEGER): number | "" =>
    value === undefined || !Number.isFinite(value) ? "" : Math.min(Math.max(0, Math.floor(value)), max);
  const reports = new Map((result.reports ?? []).map((report) => [report.quota, report]));
  const quotas = isUnsent ? call.quotas : call.quotas.filter(({ name }) => reports.has(name));
  const args = [
    end.member,
    result.outcome,
    flag(isUnsent),
    countedAtMs,
    call.circuit.failureThreshold,
    call.circuit.successThreshold,
    whole(result.retryAfterMs ?? 0, REPORT_MAX_MS),
    flag(call.concurrency !== undefined),
    flag(call.sharedConcurrency !== undefined),
    flag(isShared(call)),
    ADMISSION_WAKE_PREFIX,
    flag(block !== undefined),
    ...quotas.flatMap((quota) => {
      const { limit, remaining, resetAtMs } = reports.get(quota.name) ?? { quota: quota.name };
      const resetMs = resetAtMs === undefined ? undefined : resetAtMs - end.nowMs;
      return [
        ...quotaArguments(quota),
        takenUnits[call.quotas.indexOf(quota)]!,
        limit === 0 ? "" : whole(limit),
        whole(remaining),
        whole(resetMs, REPORT_MAX_MS),
      ];
    }),
  ];
  return {
    keys: quotas.length === 0 ? callKeys({ ...call, quotas: NO_QUOTAS }) : keysOf({ ...call, quotas }),
    args,
  };
}

/** What a process tells when it asks for a block. */
export interface BlockAsk {
  /** Number among those of the process. */
  source: number;
  /** 0 when it only tells of the last one. */
  calls: number;
  callsMin: number;
  lifeMs: number;
  /** Calls of its former blocks under way. */
  running: number;
  /** When the last of these calls succeeded that was not told yet, in ms of Redis' clock, or a little before. */
  succeededAtMs: number | undefined;
  /** Calls of former blocks that did not go out. */
  unused: readonly { countedAtMs: number; calls: number }[];
}

/** ARGV of `block`. */
export function blockArguments(
  ask: BlockAsk,
  { process, quotas }: { process: string; quotas: readonly Quota[] },
): (string | number)[] {
  return [
    `${process}/${ask.source}`,
    ask.calls,
    ask.callsMin,
    ask.lifeMs,
    ask.running,
    ask.succeededAtMs ?? "",
    ask.unused.length,
    ...ask.unused.flatMap(({ countedAtMs, calls }) => [countedAtMs, calls]),
    ...quotas.flatMap(quotaArguments),
  ];
}

/** ARGV of `leave`. */
export function leaveArguments(call: AdmissionCall, member: string): (string | number)[] {
  return [member, call.integrationId, flag(isShared(call)), ADMISSION_WAKE_PREFIX];
}

/** Reads what `block` answers. */
export function readBlock(reply: BlockReply): AdmissionBlock | undefined {
  if (reply[0] === "none") return undefined;
  const [, givenAtMs, endsAtMs, calls, circuit, ...units] = reply;
  return {
    calls,
    givenAtMs,
    endsAtMs,
    circuit: readCircuit(circuit).circuit,
    free: units.filter((_units, index) => index % 2 === 0),
    taken: units.filter((_units, index) => index % 2 === 1),
  };
}

export type BlockReply =
  | [kind: "block", time: number, end: number, calls: number, circuit: CircuitReply, ...units: number[]]
  | [kind: "none"];

/** ARGV of `renew`. */
export function renewArguments(
  call: AdmissionCall,
  leaseMs: number,
  members: readonly string[],
): (string | number)[] {
  return [leaseMs, flag(isShared(call)), ...members];
}

/** A circuit as the scripts tell it. */
export type CircuitReply = readonly [state: string, ...numbers: (string | number)[]];

/** Reads the scripts' circuit; `mustRecord` when the record in Postgres has to follow. */
export function readCircuit(reply: CircuitReply): { circuit: CircuitReading; mustRecord: boolean } {
  const time = (told: string | number | undefined): number | undefined => Number(told) || undefined;
  const [state, failures, successes, opened, halfOpened, lastFailure, lastSuccess, changed, mustRecord] =
    reply;
  return {
    circuit: {
      state: state as CircuitReading["state"],
      failureCount: Number(failures),
      successCount: Number(successes),
      openedAtMs: time(opened),
      halfOpenAtMs: time(halfOpened),
      lastFailureAtMs: time(lastFailure),
      lastSuccessAtMs: time(lastSuccess),
      changedAtMs: Number(changed),
    },
    mustRecord: mustRecord === "1",
  };
}
