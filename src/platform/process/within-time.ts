/** Share of a time limit that is waited for anew once the rest is over. */
export const LAST_SHARE = 0.25;

/**
 * Calls `end` when the time is over, in two steps: a timer also fires when the whole machine has stood still for as
 * long (no processor, a slow disk, a move of its virtual machine), and who was asked has had no time either. The last
 * step gives both some.
 *
 * @returns ends the wait
 */
export function afterRunning(timeoutMs: number, end: () => void): () => void {
  const lastMs = timeoutMs * LAST_SHARE;
  let timer = setTimeout(() => {
    timer = setTimeout(end, lastMs);
  }, timeoutMs - lastMs);
  return () => clearTimeout(timer);
}

/** @throws Error `no answer within … ms`, or what `work` throws before */
export async function withinTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const stop = afterRunning(timeoutMs, () => timeout.reject(new Error(`no answer within ${timeoutMs} ms`)));
  try {
    return await Promise.race([work, timeout.promise]);
  } finally {
    stop();
  }
}
