/** Why a message was not handed over. */
export class RouteFailure extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryable: boolean,
  ) {
    super(message);
  }
}

/** Everything in a message was here before. */
export class RouteDuplicate extends Error {
  /** @param duplicateOf receipt that brought it first */
  constructor(readonly duplicateOf: string) {
    super(`It was here before, with the receipt ${duplicateOf}`);
  }
}
