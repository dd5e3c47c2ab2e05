import { ExactNumber } from "../../../platform/formats/document.ts";
import type { MapContext, MapLimits, MappingFault } from "./mapping-result.ts";
import { FAULTS_MAX } from "./mapping-result.ts";
import { LimitFault } from "./value-fault.ts";

/** Place of an expression in its template, for faults. Made when the template is compiled. */
export interface Site {
  /** JSON pointer into the rules; for the rules of a called template that of the call. */
  rule: string;
  /** Code of the called template and the pointer into its rules; undefined in the template itself. */
  inner: string | undefined;
  /** Tokens of the place in the output; `undefined` stands for the place in an outer list, from the outside in. */
  target: readonly (string | number | undefined)[];
  /** Where the value comes from, if by a path. */
  locate: ((scope: Scope) => string | undefined) | undefined;
}

/** Finds the JSON pointer of a scope's item; called for faults only. */
export type Origin = (scope: Scope) => string | undefined;

/** What an expression is evaluated in: the document, or an element of a list. */
export class Scope {
  readonly run: Run;
  readonly item: unknown;
  readonly root: unknown;
  /** What is around the list; undefined at the document. */
  readonly parent: Scope | undefined;
  /** Place in the source list, from 0. */
  readonly index: number;
  /** Place in the output list, from 0. */
  readonly outIndex: number;
  readonly #origin: Origin | undefined;
  /** True where the scope is an element of an output list. */
  readonly isElement: boolean;

  constructor(
    run: Run,
    item: unknown,
    root: unknown,
    parent: Scope | undefined,
    index: number,
    outIndex: number,
    origin: Origin | undefined,
    isElement: boolean,
  ) {
    this.run = run;
    this.item = item;
    this.root = root;
    this.parent = parent;
    this.index = index;
    this.outIndex = outIndex;
    this.#origin = origin;
    this.isElement = isElement;
  }

  /** JSON pointer of the item; undefined where it stands nowhere in the input. */
  locate(): string | undefined {
    return this.#origin?.(this);
  }
}

/** Work between two looks at the clock: about a millisecond. */
const WORK_SLICE = 4_000;

/** What a number, truth value or null counts. */
const SCALAR_CHARS = 4;
const LONG_TEXT = 1_024;
const REMEMBERED_VALUES = 32;

/** One evaluation of a mapping: its budgets, its faults, what it waits for. */
export class Run {
  readonly context: Readonly<Record<string, unknown>>;
  readonly faults: MappingFault[] = [];
  /** JSONata: results by expression and input; `undefined` while one is under way. */
  readonly answers: Map<string, JsonataAnswer | undefined>;
  /** Expressions met without a result in this pass. */
  readonly asked: { key: string; expression: string; input: string }[] = [];
  retryable = false;
  /** What is being called, for the fault that it throws. */
  site: Site | undefined;
  readonly #limits: MapLimits;
  readonly #startedMs: number;
  #work = WORK_SLICE;
  #chars = 0;
  #values = 0;
  #nowMs: number | undefined;
  #measured: Map<object, Size> | undefined;

  constructor(limits: MapLimits, context: MapContext, answers: Map<string, JsonataAnswer | undefined>) {
    this.#limits = limits;
    this.context = context.values ?? {};
    this.#nowMs = context.nowMs;
    this.answers = answers;
    this.#startedMs = performance.now();
  }

  /** Time of the run, in milliseconds since 1970; the same whenever it is asked for. */
  get nowMs(): number {
    this.#nowMs ??= Date.now();
    return this.#nowMs;
  }

  /** Counts work and looks at the clock now and then. @throws {LimitFault} after the deadline */
  spend(units: number): void {
    this.#work -= units;
    if (this.#work > 0) return;
    this.#work = WORK_SLICE;
    if (performance.now() - this.#startedMs > this.#limits.deadlineMs) {
      this.retryable = true;
      throw new LimitFault(
        "deadline_exceeded",
        `The mapping did not end within ${this.#limits.deadlineMs} ms`,
      );
    }
  }

  /** Counts a value that goes into the output at a depth, with the characters of its name. */
  emit(value: unknown, depth: number, nameChars: number): void {
    if (typeof value === "string") this.#chars += value.length;
    else if (typeof value === "object" && value !== null) this.emitTree(value, depth);
    this.grow(1, nameChars + SCALAR_CHARS);
  }

  /** Counts values of which the texts are counted already. @throws {LimitFault} when the output passes a limit */
  grow(values: number, chars: number): void {
    this.#values += values;
    this.#chars += chars;
    if (this.#chars > this.#limits.outputChars) {
      const message = `The output has more than ${this.#limits.outputChars} characters`;
      throw new LimitFault("output_too_large", message);
    }
    if (this.#values > this.#limits.outputValues)
      throw new LimitFault("too_many_values", `The output has more than ${this.#limits.outputValues} values`);
  }

  /** Counts a text whose place is counted with its object. Only long ones are worth a look at the limit. */
  emitText(text: string): void {
    this.#chars += text.length;
    if (text.length > LONG_TEXT) this.grow(0, 0);
  }

  /** Counts an object or list that is moved as a whole. @throws {LimitFault} when the output passes a limit */
  emitTree(value: object, depth: number): void {
    const size = this.#measure(value, depth);
    this.grow(size.values, size.chars);
    if (depth + size.depth > this.#limits.outputDepth) throw this.#tooDeep();
  }

  #tooDeep(): LimitFault {
    return new LimitFault(
      "output_too_deep",
      `The output is nested deeper than ${this.#limits.outputDepth} levels`,
    );
  }

  #measure(value: object, depth: number): Size {
    if (value instanceof ExactNumber) return { chars: value.text.length, values: 0, depth: 0 };
    const known = this.#measured?.get(value);
    if (known !== undefined) return known;
    if (depth > this.#limits.outputDepth) throw this.#tooDeep();
    const size = { chars: 2, values: 0, depth: 1 };
    if (Array.isArray(value)) {
      for (const member of value) this.#add(size, member, depth);
    } else {
      for (const name in value) {
        size.chars += name.length + 3;
        this.#add(size, (value as Record<string, unknown>)[name], depth);
      }
    }
    this.spend(1 + (size.values >> 3));
    // A large one that is written a thousand times is not walked a thousand times.
    if (size.values > REMEMBERED_VALUES) {
      this.#measured ??= new Map();
      this.#measured.set(value, size);
    }
    return size;
  }

  #add(size: Size, member: unknown, depth: number): void {
    size.values++;
    size.chars++;
    if (typeof member === "string") size.chars += member.length;
    else if (typeof member !== "object" || member === null) size.chars += SCALAR_CHARS;
    else {
      const inner = this.#measure(member, depth + 1);
      size.chars += inner.chars;
      size.values += inner.values;
      size.depth = Math.max(size.depth, inner.depth + 1);
    }
  }

  /** Keeps a fault of a rule. @returns false when there are enough of them */
  report(
    error: { code: MappingFault["code"]; message: string },
    site: Site | undefined,
    scope: Scope,
  ): boolean {
    const inner = site?.inner === undefined ? "" : ` (in ${site.inner})`;
    const fault: MappingFault = {
      code: error.code,
      message: error.message + inner,
      rule: site?.rule ?? "",
    };
    const source = site?.locate?.(scope) ?? undefined;
    if (source !== undefined) fault.source = source;
    if (site !== undefined) fault.target = targetPointer(site.target, scope);
    this.faults.push(fault);
    return this.faults.length < FAULTS_MAX;
  }
}

interface Size {
  chars: number;
  values: number;
  /** Levels of objects and lists. */
  depth: number;
}

export type JsonataAnswer = { ok: true; value: unknown } | { ok: false; message: string };

/** Fills the places of lists in, which only the running mapping knows. */
export function targetPointer(target: Site["target"], scope: Scope): string {
  const places: number[] = [];
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent)
    if (at.isElement) places.unshift(at.outIndex);
  let list = 0;
  return target
    .map((token) => {
      const name = token ?? places[list++] ?? "";
      return `/${typeof name === "number" ? name : name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    })
    .join("");
}
