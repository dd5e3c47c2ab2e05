/** What keeps a process from starting and its operator can mend. The message says all of it. */
export class StartError extends Error {
  override name = "StartError";
}
