import { HubError } from "../errors.ts";
import { ThreadFailure } from "./document-threads.ts";

/** The result of a thread's task. @throws HubError 503 `unavailable` when it took too long or too many wait */
export async function withThread<T>(task: Promise<T>): Promise<T> {
  try {
    return await task;
  } catch (error) {
    if (error instanceof ThreadFailure)
      throw new HubError("unavailable", `${error.message}.`, { retryAfterSeconds: 5 });
    throw error;
  }
}
