import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { HubError } from "../../domain/errors.ts";
import { connectRedis } from "../../platform/redis/client.ts";
import { API_LIMIT_PREFIX } from "../../platform/redis/keys.ts";
import type { Runtime } from "../../platform/runtime.ts";

/** Failed logins of one address in a minute; an honest client with a wrong key stops long before. */
const FAILED_LOGINS_MAX = 30;
const FAILED_LOGINS_WINDOW_SECONDS = 60;

/** Limits of the management API: calls of a tenant (API_RATE_LIMIT) and failed logins of an address. */
export interface ManagementLimits {
  /** @throws HubError `rate_limited` (429) with the seconds until the window ends */
  countCall(tenantId: string): Promise<void>;
  /** @throws HubError `rate_limited` when this address failed too often already */
  refuseGuesser(address: string): Promise<void>;
  countFailedLogin(address: string): Promise<void>;
}

/**
 * Fixed windows in Redis, shared by all processes; in REDIS_VOLATILE_URL where given, because losing them harms nobody.
 * When Redis is away calls pass: the limits protect against haste, and what must not be exceeded is counted elsewhere.
 */
export function createManagementLimits(runtime: Runtime): ManagementLimits {
  const { config, log } = runtime;
  const storeClient =
    config.redisVolatileUrl === undefined ? runtime.redis : openVolatile(runtime, config.redisVolatileUrl);
  const calls = new RateLimiterRedis({
    storeClient,
    keyPrefix: `${API_LIMIT_PREFIX}:calls`,
    points: config.apiRateLimit.limit,
    duration: config.apiRateLimit.windowSeconds,
    rejectIfRedisNotReady: true,
    inMemoryBlockOnConsumed: config.apiRateLimit.limit + 1,
  });
  const failedLogins = new RateLimiterRedis({
    storeClient,
    keyPrefix: `${API_LIMIT_PREFIX}:logins`,
    points: FAILED_LOGINS_MAX,
    duration: FAILED_LOGINS_WINDOW_SECONDS,
    rejectIfRedisNotReady: true,
  });
  const tolerate = (error: unknown): void => {
    log.warn({ err: error }, "management limits are not counted");
  };
  const consume = async (limiter: RateLimiterRedis, key: string): Promise<void> => {
    try {
      await limiter.consume(key);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) return tolerate(refusal);
      throw tooMany(refusal);
    }
  };
  return {
    countCall: (tenantId) => consume(calls, tenantId),
    countFailedLogin: (address) => consume(failedLogins, address),
    async refuseGuesser(address) {
      const state = await failedLogins.get(address).catch(tolerate);
      if (state && state.consumedPoints >= FAILED_LOGINS_MAX) throw tooMany(state);
    },
  };
}

function openVolatile(runtime: Runtime, url: string): ReturnType<typeof connectRedis> {
  const client = connectRedis(url, "control", (error) =>
    runtime.log.warn({ err: error }, "volatile redis connection"),
  );
  runtime.shutdown.add("redis volatile", () => client.disconnect());
  return client;
}

function tooMany(state: RateLimiterRes): HubError {
  return new HubError("rate_limited", undefined, {
    retryAfterSeconds: Math.max(1, Math.ceil(state.msBeforeNext / 1000)),
  });
}
