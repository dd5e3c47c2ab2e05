import jsonata from "jsonata";
import { EXPRESSION_MAX_BYTES } from "./protocol.ts";

/** Nested evaluations. The guard stops recursion that does not end within milliseconds. */
const STACK_MAX = 500;

/** Items of one sequence: a range of millions fills memory before any output limit sees it. */
const SEQUENCE_MAX = 100_000;

/**
 * Bun's regular expressions stop searching after about 0.5 s and then report "no match" without an error. A search
 * that took this long and found nothing is therefore not believed.
 */
const REGEX_TRUST_MS = 50;

/** Functions that would compile text from the document as code: the check of the saved expression would not see it. */
const REFUSED_FUNCTIONS = new Set(["eval"]);

/** An expression that cannot be used, with the place of the fault. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
  /** Offset in the expression, in characters. */
  readonly position: number;
  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

/** A search that did not end in time; its answer would be wrong. */
export class SlowRegexError extends Error {
  override readonly name = "SlowRegexError";
}

class TimedRegExp extends RegExp {
  override exec(text: string): RegExpExecArray | null {
    const startMs = performance.now();
    const found = super.exec(text);
    if (found === null && performance.now() - startMs > REGEX_TRUST_MS) {
      throw new SlowRegexError(
        `The regular expression /${this.source}/ takes too long on this input; its result cannot be trusted`,
      );
    }
    return found;
  }
}

export interface CompiledExpression {
  /**
   * Evaluates once. Calls must not overlap: the time limit is wall time of the evaluation, so two at a time would each
   * pay for the other.
   *
   * @param timeoutMs guard between evaluation steps; built-in functions run past it, the pool's deadline does not
   */
  evaluate(input: unknown, timeoutMs: number): Promise<unknown>;
}

/**
 * Compiles a JSONata 2.2 expression with its guard rails on.
 *
 * @throws ExpressionError for a syntax error, a refused function, or more than 16 KiB
 */
export function compileExpression(expression: string): CompiledExpression {
  if (Buffer.byteLength(expression, "utf8") > EXPRESSION_MAX_BYTES) {
    throw new ExpressionError(`The expression is longer than ${EXPRESSION_MAX_BYTES} bytes`, 0);
  }
  const options = {
    timeout: 1,
    stack: STACK_MAX,
    sequence: SEQUENCE_MAX,
    RegexEngine: TimedRegExp as unknown as RegExpConstructor,
  };
  const compiled = parse(expression, options);
  const refused = findRefused(compiled.ast());
  if (refused !== undefined) {
    throw new ExpressionError(`$${refused.name} is not available`, refused.position);
  }
  return {
    evaluate: (input, timeoutMs) => {
      options.timeout = timeoutMs;
      return compiled.evaluate(input);
    },
  };
}

function parse(expression: string, options: jsonata.JsonataOptions): jsonata.Expression {
  try {
    return jsonata(expression, options);
  } catch (error) {
    const { message, position } = describeError(error);
    throw new ExpressionError(message, position);
  }
}

/** The first use of a refused function anywhere in the syntax tree; also as a value (`$f := $eval`). */
function findRefused(ast: jsonata.ExprNode): { name: string; position: number } | undefined {
  const seen = new Set<object>();
  const waiting: unknown[] = [ast];
  while (waiting.length > 0) {
    const node = waiting.pop();
    if (typeof node !== "object" || node === null || seen.has(node)) continue;
    seen.add(node);
    const { type, value, position } = node as { type?: unknown; value?: unknown; position?: unknown };
    if (type === "variable" && typeof value === "string" && REFUSED_FUNCTIONS.has(value)) {
      return { name: value, position: typeof position === "number" ? position : 0 };
    }
    waiting.push(...Object.values(node));
  }
  return undefined;
}

/** Longest message handed on: a message of JSONata quotes values of the document. */
const MESSAGE_MAX_CHARS = 300;

/** What JSONata threw (objects, not always errors) as one line without control characters, and its position. */
export function describeError(error: unknown): { message: string; position: number; code: string } {
  const thrown = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  const text = typeof thrown["message"] === "string" ? thrown["message"] : "The expression failed";
  return {
    // oxlint-disable-next-line no-control-regex -- control characters in a log line could forge another
    message: text.replaceAll(/[\u0000-\u001f\u007f\u2028\u2029]+/g, " ").slice(0, MESSAGE_MAX_CHARS),
    position: typeof thrown["position"] === "number" ? thrown["position"] : -1,
    code: typeof thrown["code"] === "string" ? thrown["code"] : "",
  };
}
