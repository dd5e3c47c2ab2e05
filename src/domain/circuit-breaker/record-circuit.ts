import { admissionKeys } from "../../platform/redis/keys.ts";
import { volatileRuntime } from "../../platform/redis/volatile.ts";
import type { Runtime } from "../../platform/runtime.ts";
import type { Transaction } from "../context.ts";
import type { CircuitSnapshot, CircuitTransition } from "./circuit-snapshot.ts";
import { lockCircuitState, saveCircuitState } from "./store.ts";

/** Tells of a transition in the transaction that records it. */
export type AnnounceTransition = (tx: Transaction, transition: CircuitTransition) => Promise<void>;

/**
 * Puts a circuit's state on record in Postgres, and announces it there when that opens or closes it. Postgres decides:
 * the announcement is made once, however many processes tell of the same change, and also when the process that made it
 * died, because others tell of a change in Redis that was not marked as recorded.
 *
 * @returns the transition that was announced
 */
export async function recordCircuit(
  runtime: Runtime,
  circuit: CircuitSnapshot,
  announce: AnnounceTransition,
): Promise<CircuitTransition | undefined> {
  const recorded = await runtime.sqlSystem.begin(async (tx): Promise<CircuitTransition | undefined> => {
    const known = await lockCircuitState(tx, circuit.integrationId);
    if (known === undefined || known.changedAtMs >= circuit.changedAtMs) return undefined;
    await saveCircuitState(tx, circuit);
    if ((known.state === "CLOSED") === (circuit.state === "CLOSED")) return undefined;
    const transition = { kind: circuit.state === "CLOSED" ? "closed" : "opened", circuit } as const;
    await announce(tx, transition);
    return transition;
  });
  await volatileRuntime(runtime).redis.hset(admissionKeys(circuit).state, "rt", String(circuit.changedAtMs));
  return recorded as CircuitTransition | undefined;
}
