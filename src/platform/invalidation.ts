import { INVALIDATION_CHANNEL } from "./redis/keys.ts";
import { subscribe } from "./redis/subscribe.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Tells every process that one object of configuration changed. Call it after the commit: a process that reloads
 * earlier would keep the old state.
 *
 * @param kind noun in snake case, for example `endpoint` or `api_key`
 * @throws when Redis is away; the caches expire by themselves, so most callers only report it
 */
export async function publishInvalidation(runtime: Runtime, kind: string, id: string): Promise<void> {
  await runtime.redis.publish(INVALIDATION_CHANNEL, `${kind}:${id}`);
}

/**
 * Hears of changed objects. Pub/sub loses messages while the connection is away, so `onReconnect` has to clear what
 * the handlers would have forgotten piece by piece.
 *
 * @param options.handlers by kind; other kinds are ignored
 */
export async function subscribeInvalidation(
  runtime: Runtime,
  options: { handlers: Readonly<Record<string, (id: string) => void>>; onReconnect: () => void },
): Promise<void> {
  await subscribe(runtime, INVALIDATION_CHANNEL, {
    onMessage: (message) => {
      const colon = message.indexOf(":");
      const kind = message.slice(0, colon);
      if (Object.hasOwn(options.handlers, kind)) options.handlers[kind]!(message.slice(colon + 1));
    },
    onGap: options.onReconnect,
  });
}
