import type { Frame } from "../../platform/sandbox/frames.ts";
import { serveFrames } from "../../platform/sandbox/serve-frames.ts";
import type { CompiledExpression } from "./compile-expression.ts";
import { compileExpression, describeError, ExpressionError } from "./compile-expression.ts";
import type { Failure, FailureText } from "./protocol.ts";
import { FAILURES, FRAME, OUTPUT_MAX_BYTES } from "./protocol.ts";

/** Entry of the child process that evaluates expressions for the pool. It knows nothing but what its frames carry. */

/** JSONata's code for its own time guard. */
const GUARD_TIMEOUT_CODE = "D1012";

/** By slot number. A fault of the expression is kept and told to each job that names it. */
const expressions = new Map<number, CompiledExpression | ExpressionError>();

function compile(text: string): CompiledExpression | ExpressionError {
  try {
    return compileExpression(text);
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
}

function done(job: number, text: string): Frame {
  return { kind: FRAME.done, a: job, b: 0, c: 0, text };
}

function failed(job: number, failure: Failure, text: FailureText): Frame {
  return { kind: FRAME.failed, a: job, b: FAILURES.indexOf(failure), c: 0, text: JSON.stringify(text) };
}

function holdsEndless(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  return typeof value === "object" && value !== null && Object.values(value).some(holdsEndless);
}

async function evaluate(frame: Frame): Promise<Frame> {
  const expression = expressions.get(frame.b);
  if (expression === undefined || expression instanceof ExpressionError) {
    const { message, position } = expression ?? new ExpressionError("The expression is not known here", -1);
    return failed(frame.a, "failed", { message, position });
  }
  try {
    const value = await expression.evaluate(JSON.parse(frame.text), frame.c);
    const output = JSON.stringify(value);
    if (output === undefined) {
      const message = "The expression gives no value for this input";
      return failed(frame.a, "no_value", { message, position: -1 });
    }
    // JSON writes 1/0 as null, without a word.
    if (output.includes("null") && holdsEndless(value)) {
      const message = "The result holds a number that is not finite, as 1/0 is not";
      return failed(frame.a, "failed", { message, position: -1 });
    }
    if (Buffer.byteLength(output, "utf8") > OUTPUT_MAX_BYTES) {
      const message = `The result is larger than ${OUTPUT_MAX_BYTES} bytes`;
      return failed(frame.a, "output_too_large", { message, position: -1 });
    }
    return done(frame.a, output);
  } catch (error) {
    const { message, position, code } = describeError(error);
    // JavaScriptCore's text for an allocation that the limit refused.
    const isMemory = error instanceof RangeError && message.startsWith("Out of memory");
    const isTimeout = code === GUARD_TIMEOUT_CODE;
    return failed(frame.a, isMemory ? "memory" : isTimeout ? "timeout" : "failed", { message, position });
  }
}

async function handle(frame: Frame): Promise<Frame | undefined> {
  if (frame.kind === FRAME.evaluate) return evaluate(frame);
  const compiled = compile(frame.text);
  if (frame.kind === FRAME.define) {
    expressions.set(frame.a, compiled);
    return undefined;
  }
  return compiled instanceof ExpressionError
    ? failed(frame.a, "failed", { message: compiled.message, position: compiled.position })
    : done(frame.a, "");
}

await serveFrames(handle);
