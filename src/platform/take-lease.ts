import lua from "./lease.lua" with { type: "text" };
import { bindScript } from "./redis/script.ts";
import type { Runtime } from "./runtime.ts";
import { newId } from "./uuid.ts";

/** The right to do one short thing alone. It is not renewed: the thing has to end before the lease does. */
export interface ShortLease {
  /** Grows with each holder. */
  readonly token: number;
  /** Judged without asking anybody, early enough for the way to the server; false after a long pause of this process. */
  isHeld(): boolean;
  /** Gives it back, if it is still this holder's. Never rejects. */
  release(): Promise<void>;
}

/** The end is assumed this share of the lifetime earlier than the server's. */
const SAFETY_SHARE = 0.2;

/**
 * Takes a lease once, without waiting.
 *
 * @param options.key name from `keys.ts`
 * @returns undefined while another one holds it
 * @throws when Redis is away
 */
export async function takeLease(
  runtime: Runtime,
  options: { key: string; ttlMs: number },
): Promise<ShortLease | undefined> {
  const { key, ttlMs } = options;
  const holder = newId();
  const call = bindScript(runtime.redis, { name: "hubLease", lua });
  const askedAtMs = performance.now();
  const token = Number(await call([key], ["hold", holder, ttlMs]));
  if (token === 0) return undefined;
  const validUntilMs = askedAtMs + ttlMs * (1 - SAFETY_SHARE);
  return {
    token,
    isHeld: () => performance.now() < validUntilMs,
    release: async () => {
      await call([key], ["release", holder, ttlMs]).catch((error: unknown) =>
        runtime.log.warn({ err: error, key }, "lease not given back; it ends by itself"),
      );
    },
  };
}
