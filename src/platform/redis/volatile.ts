import type { Runtime } from "../runtime.ts";
import { connectRedis, type RedisPurpose } from "./client.ts";
import type { RedisClient } from "./script.ts";

const known = new WeakMap<Runtime, Runtime>();

/**
 * The runtime for data that may be lost: its Redis is REDIS_VOLATILE_URL, where one is given, else the same as ever.
 * Everything else is the process's own, and closes with it.
 */
export function volatileRuntime(runtime: Runtime): Runtime {
  const url = runtime.config.redisVolatileUrl;
  if (url === undefined) return runtime;
  let volatile = known.get(runtime);
  if (volatile === undefined) {
    const openRedis = (purpose: RedisPurpose): RedisClient => {
      const client = connectRedis(url, purpose, (error) =>
        runtime.log.warn({ err: error, purpose }, "volatile redis connection"),
      );
      runtime.shutdown.add(`volatile redis ${purpose}`, () => client.disconnect());
      return client;
    };
    volatile = { ...runtime, redis: openRedis("control"), openRedis };
    known.set(runtime, volatile);
  }
  return volatile;
}
