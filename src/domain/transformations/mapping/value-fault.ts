import type { MappingFaultCode } from "./mapping-result.ts";

/** A value that a rule cannot use. Caught by the rule, which knows the place. */
export class ValueFault extends Error {
  override readonly name = "ValueFault";
  readonly code: MappingFaultCode;

  constructor(code: MappingFaultCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Ends the run: a limit was passed. */
export class LimitFault extends ValueFault {}

/** Ends the present rule of a pass in which JSONata expressions are still being collected. */
export class Unresolved extends Error {
  override readonly name = "Unresolved";
}
