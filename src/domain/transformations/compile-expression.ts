import jsonata from "jsonata";
import { RE2JS } from "re2js";
import { EXPRESSION_MAX_BYTES } from "./protocol.ts";

/** Nested evaluations. The guard stops recursion that does not end within milliseconds. */
const STACK_MAX = 500;

/** Items of one sequence: a range of millions fills memory before any output limit sees it. */
const SEQUENCE_MAX = 100_000;

/** Longest text that `$pad` makes, in characters: four times what a result may have. */
const PAD_MAX = 1_048_576;

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

/**
 * A regular expression in linear time (RE2). Bun's own stop searching after about 0.5 s and then report "no match"
 * without an error. It has what JSONata uses of a RegExp: `exec` from `lastIndex` on.
 */
class LinearRegExp {
  lastIndex = 0;
  readonly #compiled: RE2JS;

  constructor(regex: RegExp) {
    this.#compiled = compileLinear(regex);
  }

  exec(text: string): (string[] & { index: number }) | null {
    const matcher = this.#compiled.matcher(text);
    if (this.lastIndex > text.length || !matcher.find(this.lastIndex)) {
      this.lastIndex = 0;
      return null;
    }
    const groups = Array.from({ length: this.#compiled.groupCount() + 1 }, (_, group) =>
      matcher.group(group),
    );
    this.lastIndex = matcher.end();
    // Groups that took no part are undefined, as in JavaScript; JSONata's type of them is a text.
    return Object.assign(groups.map((group) => group ?? undefined) as string[], { index: matcher.start() });
  }
}

/** @throws what RE2 says of a pattern that it does not take: back references, look-around */
function compileLinear({ source, flags }: RegExp): RE2JS {
  const bits =
    (flags.includes("i") ? RE2JS.CASE_INSENSITIVE : 0) | (flags.includes("m") ? RE2JS.MULTILINE : 0);
  return RE2JS.compile(RE2JS.translateRegExp(source), bits);
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
    RegexEngine: LinearRegExp as unknown as RegExpConstructor,
  };
  const compiled = parse(expression, options);
  const refused = findRefused(compiled.ast());
  if (refused !== undefined) throw new ExpressionError(refused.message, refused.position);
  compiled.registerFunction("pad", pad, "<s-ns?:s>");
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

/**
 * The first use of a refused function anywhere in the syntax tree, also as a value (`$f := $eval`), or of a pattern that
 * RE2 does not take.
 */
function findRefused(ast: jsonata.ExprNode): { message: string; position: number } | undefined {
  const seen = new Set<object>();
  const waiting: unknown[] = [ast];
  while (waiting.length > 0) {
    const node = waiting.pop();
    if (typeof node !== "object" || node === null || seen.has(node)) continue;
    seen.add(node);
    const { type, value, position } = node as { type?: unknown; value?: unknown; position?: unknown };
    const message =
      type === "variable" && typeof value === "string" && REFUSED_FUNCTIONS.has(value)
        ? `$${value} is not available`
        : value instanceof RegExp
          ? refusalOf(value)
          : undefined;
    if (message !== undefined) return { message, position: typeof position === "number" ? position : 0 };
    waiting.push(...Object.values(node));
  }
  return undefined;
}

function refusalOf(regex: RegExp): string | undefined {
  try {
    compileLinear(regex);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it is not supported";
    return `The regular expression /${regex.source}/ cannot be used: ${reason}`;
  }
}

/** `$pad` with a bound: JSONata's own builds any length in one step, which no guard interrupts. */
function pad(text: string | undefined, width: number, filler = " "): string | undefined {
  if (text === undefined) return undefined;
  const missing = Math.abs(Math.trunc(width)) - Array.from(text).length;
  if (!(missing > 0)) return text;
  if (missing > PAD_MAX) throw new ExpressionError(`$pad makes at most ${PAD_MAX} characters`, -1);
  const characters = Array.from(filler === "" ? " " : filler);
  const padding = Array.from({ length: missing }, (_, index) => characters[index % characters.length]).join(
    "",
  );
  return width > 0 ? text + padding : padding + text;
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
