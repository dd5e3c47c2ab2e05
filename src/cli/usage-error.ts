/** The command line was not understood: the message is shown with the usage. */
export class UsageError extends Error {
  override name = "UsageError";
}
