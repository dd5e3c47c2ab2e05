import { Compiler } from "./compiler.ts";
import { TooManyFaults } from "./compile-forms.ts";
import type {
  CompiledMapping,
  MapContext,
  MappingDeps,
  MappingFault,
  MapResult,
  RuleTrace,
} from "./mapping-result.ts";
import { MAP_LIMITS } from "./mapping-result.ts";
import type { MappingRules } from "./rules.ts";
import type { JsonataAnswer } from "./scope.ts";
import { Run, Scope } from "./scope.ts";
import { ValueFault } from "./value-fault.ts";
import type { Evaluate } from "./walk-path.ts";

/** Rules that cannot be used; `checkMapping` finds the same faults before they are saved. */
export class MappingRulesError extends Error {
  override readonly name = "MappingRulesError";
  readonly faults: readonly MappingFault[];

  constructor(faults: readonly MappingFault[]) {
    super(`Cannot compile the mapping: ${faults[0]?.message ?? "it has faults"} (${faults[0]?.rule ?? ""})`);
    this.faults = faults;
  }
}

/** JSONata expressions of one document, with all its elements. */
const EXPRESSIONS_MAX = 10_000;

/**
 * Compiles rules to closures. Do it once for each version of a template: it takes a thousand times what a run takes.
 *
 * @throws {MappingRulesError} for rules that `checkMapping` refuses
 */
export function compileMapping(rules: MappingRules, deps: MappingDeps = {}): CompiledMapping {
  return compile(rules, deps, new Compiler(deps));
}

/** The same with a record of what each rule does. For previews: it costs a multiple of a run. */
export function compileTracedMapping(
  rules: MappingRules,
  deps: MappingDeps = {},
): { mapping: CompiledMapping; traces: ReadonlyMap<string, RuleTrace> } {
  const compiler = new Compiler(deps, { trace: true });
  return { mapping: compile(rules, deps, compiler), traces: compiler.traces ?? new Map() };
}

function compile(rules: MappingRules, deps: MappingDeps, compiler: Compiler): CompiledMapping {
  const evaluate = compiler.template(rules, []);
  if (compiler.faults.length > 0) throw new MappingRulesError(compiler.faults);
  const limits = { ...MAP_LIMITS, ...deps.limits };
  const resolve = async (document: unknown, context: MapContext, first: Run): Promise<MapResult> => {
    let run = first;
    while (run.asked.length > 0) {
      const refusal = await answerAll(run, deps);
      if (refusal !== undefined) return refusal;
      const next = new Run(limits, context, run.answers);
      const result = pass(evaluate, document, context, next);
      if (next.asked.length === 0) return result;
      run = next;
    }
    throw new Error("Cannot resolve a mapping that asked for nothing");
  };
  return {
    recordPath: rules.recordPath,
    run: (document, context = {}) => {
      const run = new Run(limits, context, new Map());
      const result = pass(evaluate, document, context, run);
      return run.asked.length === 0 ? result : resolve(document, context, run);
    },
  };
}

/** One pass over the rules. Where expressions were asked for its result does not count. */
function pass(evaluate: Evaluate, document: unknown, context: MapContext, run: Run): MapResult {
  const index = context.recordIndex ?? 0;
  const scope = new Scope(run, document, document, undefined, index, index, () => "", false);
  try {
    const mapped = evaluate(scope);
    if (run.faults.length === 0 && run.asked.length === 0 && mapped === undefined)
      run.faults.push({
        code: "required_missing",
        message: "The mapping gives no output",
        rule: "/rules",
        target: "",
      });
    if (run.faults.length === 0) return { ok: true, document: mapped };
  } catch (error) {
    if (error instanceof ValueFault) run.report(error, undefined, scope);
    // Texts and stacks that outgrow the engine itself.
    else if (error instanceof RangeError)
      run.report({ code: "output_too_large", message: "The mapping outgrows its memory" }, undefined, scope);
    else if (!(error instanceof TooManyFaults)) throw error;
    // A limit ends the pass whatever it still asked for.
    run.asked.length = 0;
  }
  return { ok: false, faults: run.faults, retryable: run.retryable };
}

/** Evaluates what a pass asked for, all at once. @returns the end of the run where its process refused */
async function answerAll(run: Run, deps: MappingDeps): Promise<MapResult | undefined> {
  const refuse = (fault: MappingFault, retryable: boolean): MapResult => ({
    ok: false,
    faults: [fault],
    retryable,
  });
  const { evaluateJsonata } = deps;
  if (evaluateJsonata === undefined)
    return refuse({ code: "expression_failed", message: "JSONata is not available here", rule: "" }, false);
  if (run.answers.size > EXPRESSIONS_MAX) {
    const message = `More than ${EXPRESSIONS_MAX} JSONata expressions for one document`;
    return refuse({ code: "too_many_values", message, rule: "" }, false);
  }
  let refusal: MapResult | undefined;
  await Promise.all(
    run.asked.map(async ({ key, expression, input }) => {
      const outcome = await evaluateJsonata(expression, input);
      if (!outcome.ok && outcome.retryable)
        refusal ??= refuse(
          { code: "expression_failed", message: `${outcome.code}: ${outcome.message}`, rule: "" },
          true,
        );
      run.answers.set(key, answerOf(outcome));
    }),
  );
  return refusal;
}

type Outcome = Awaited<ReturnType<NonNullable<MappingDeps["evaluateJsonata"]>>>;

function answerOf(outcome: Outcome): JsonataAnswer {
  if (outcome.ok) {
    if (outcome.output.includes('"__proto__"'))
      return { ok: false, message: "The expression gives a member called __proto__" };
    return { ok: true, value: JSON.parse(outcome.output) };
  }
  if (outcome.isMissing) return { ok: true, value: undefined };
  return { ok: false, message: `${outcome.code}: ${outcome.message}` };
}
