/**
 * Repeats `attempt` until it returns without an error.
 *
 * @param options.everyMs pause between two attempts
 * @param options.timeoutMs when to give up
 * @param options.failed ends the wait early: settles with the reason, for example the exit of the process waited for
 * @throws the last attempt's error after the timeout, or the reason of `failed`
 */
export async function retryUntil<T>(
  attempt: () => Promise<T>,
  options: { everyMs: number; timeoutMs: number; failed?: Promise<Error> },
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  let failure: Error | undefined;
  void options.failed?.then((error) => (failure = error));
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (failure) throw failure;
      if (Date.now() >= deadline) throw error;
    }
    await Bun.sleep(options.everyMs);
    if (failure) throw failure;
  }
}
