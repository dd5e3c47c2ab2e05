import { ADMISSION_WAKE_PREFIX, admissionKeys } from "../../platform/redis/keys.ts";
import { bindScript, type RedisClient } from "../../platform/redis/script.ts";
import { volatileRuntime } from "../../platform/redis/volatile.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { HubError } from "../errors.ts";
import type { CircuitScope, CircuitSnapshot } from "./circuit-snapshot.ts";
import forceLua from "./force.lua" with { type: "text" };

type Force = ReturnType<typeof bindScript>;

const bound = new WeakMap<RedisClient, Force>();

/**
 * A circuit as it is in Redis at this moment; with `state` it is put into that state first.
 *
 * @throws HubError `unavailable` (503) when Redis is away
 */
export async function liveCircuit(
  runtime: Runtime,
  scope: CircuitScope,
  state: "OPEN" | "CLOSED" | "" = "",
): Promise<CircuitSnapshot & { probeUntilMs: number | undefined }> {
  const { redis } = volatileRuntime(runtime);
  let force = bound.get(redis);
  if (force === undefined)
    bound.set(redis, (force = bindScript(redis, { name: "hubCircuitForce", lua: forceLua })));
  let reply: string[];
  try {
    const keys = admissionKeys(scope);
    reply = (await force([keys.state, keys.blocks], [state, ADMISSION_WAKE_PREFIX])) as string[];
  } catch (error) {
    runtime.log.warn({ err: error }, "circuit was not read");
    throw new HubError("unavailable", "The circuit cannot be read at the moment.", { retryAfterSeconds: 1 });
  }
  const time = (index: number): number | undefined =>
    reply[index] === "0" ? undefined : Number(reply[index]);
  return {
    ...scope,
    state: reply[0] as CircuitSnapshot["state"],
    failureCount: Number(reply[1]),
    successCount: Number(reply[2]),
    openedAtMs: time(3),
    halfOpenAtMs: time(4),
    lastFailureAtMs: time(5),
    lastSuccessAtMs: time(6),
    changedAtMs: Number(reply[7]),
    probeUntilMs: time(8),
  };
}
