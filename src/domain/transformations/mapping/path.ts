/** What a path starts from. */
export type PathHead = "item" | "root" | "parent" | "context" | "index" | "number";

/** One step: a member, a place of a list (negative: from its end), all elements, or those that match. */
export type PathStep =
  | { kind: "name"; name: string }
  | { kind: "index"; index: number }
  | { kind: "every" }
  | { kind: "where"; names: readonly string[]; test: "exists" | "equals" | "differs"; value: string };

export interface Path {
  head: PathHead;
  /** For `parent`, `index` and `number`: lists to go out of. */
  levels: number;
  steps: readonly PathStep[];
}

export type PathOutcome = { ok: true; path: Path } | { ok: false; message: string };

const STEPS_MAX = 40;
const HEADS = { $root: "root", $context: "context", $item: "item" } as const;

/**
 * Reads a path into a source document.
 *
 * - `shipment.stops[0].city`, `stops[-1]` (the last), `stops[*].city` (a list of all)
 * - `["Load Id"]` or `['a.b']` for names with dots, brackets, quotes or a leading `$`
 * - `loop0100[?N1.N101="SH"]`, `[?city!="Dallas"]`, `[?N104]`: the elements that have this value, another, or any;
 *   followed by `[0]` the first of them
 * - starts at the document, inside `each` and `group` at the element. `$item` is the element itself, `$parent` what is
 *   around its list (`$parent.$parent` further out), `$root` the document, `$index` the element's place in the source
 *   list from 0, `$number` its number in the output from 1, `$context` what the run knows besides
 *
 * A single element passes for a list of one and the other way round: formats without lists (XML, X12) cannot say which
 * of both they mean.
 */
export function parsePath(text: string): PathOutcome {
  return new PathReader(text).read();
}

class PathReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): PathOutcome {
    try {
      const path = this.#path();
      if (path.steps.length > STEPS_MAX) return { ok: false, message: `has more than ${STEPS_MAX} steps` };
      return { ok: true, path };
    } catch (error) {
      if (error instanceof PathSyntaxError) {
        return { ok: false, message: `${error.message} (at character ${this.#at + 1})` };
      }
      throw error;
    }
  }

  #path(): Path {
    const steps: PathStep[] = [];
    let head: PathHead = "item";
    let levels = 0;
    let isStart = true;
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] === "[") {
        steps.push(this.#bracket());
      } else {
        if (!isStart || steps.length > 0) this.#expect(".");
        const name = this.#name();
        const word = name.startsWith("$") ? name : undefined;
        if (word === undefined) steps.push({ kind: "name", name });
        else if (steps.length > 0) throw new PathSyntaxError(`${word} can only stand in front`);
        else if (word === "$parent" && (isStart || head === "parent"))
          [head, levels] = ["parent", levels + 1];
        else if ((word === "$index" || word === "$number") && (isStart || head === "parent"))
          head = word === "$index" ? "index" : "number";
        else if (isStart && Object.hasOwn(HEADS, word)) head = HEADS[word as keyof typeof HEADS];
        else throw new PathSyntaxError(`${word} is not known here`);
      }
      isStart = false;
      if ((head === "index" || head === "number") && this.#at < this.#text.length)
        throw new PathSyntaxError("nothing can follow a number");
    }
    return { head, levels, steps };
  }

  #name(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !".[]'\"".includes(this.#text[this.#at] ?? "")) this.#at++;
    const name = this.#text.slice(start, this.#at);
    if (name.trim() !== name || name === "")
      throw new PathSyntaxError("a name is missing or begins or ends with a blank");
    return name;
  }

  #bracket(): PathStep {
    this.#expect("[");
    const next = this.#text[this.#at];
    let step: PathStep;
    if (next === "*") {
      this.#at++;
      step = { kind: "every" };
    } else if (next === '"' || next === "'") {
      step = { kind: "name", name: this.#quoted() };
    } else if (next === "?") {
      this.#at++;
      step = this.#where();
    } else {
      const digits = /^-?\d{1,9}/.exec(this.#text.slice(this.#at))?.[0];
      if (digits === undefined)
        throw new PathSyntaxError('[ needs a number, *, ?name="value" or a name in quotes');
      this.#at += digits.length;
      step = { kind: "index", index: Number(digits) };
    }
    this.#expect("]");
    return step;
  }

  #where(): PathStep {
    const names: string[] = [];
    for (;;) {
      if (this.#text[this.#at] === "[") {
        this.#at++;
        names.push(this.#quoted());
        this.#expect("]");
      } else {
        const name = /^[^.[\]'"=!]+/.exec(this.#text.slice(this.#at))?.[0];
        if (name === undefined) throw new PathSyntaxError("the name of a member is missing");
        this.#at += name.length;
        names.push(name.trim());
      }
      if (this.#text[this.#at] === ".") this.#at++;
      else if (this.#text[this.#at] !== "[") break;
    }
    const operator = this.#text.startsWith("!=", this.#at) ? "!=" : this.#text[this.#at] === "=" ? "=" : "";
    this.#at += operator.length;
    if (operator === "") return { kind: "where", names, test: "exists", value: "" };
    const value = this.#quoted();
    return { kind: "where", names, test: operator === "=" ? "equals" : "differs", value };
  }

  /** Text in single or double quotes; the quote itself is written twice. */
  #quoted(): string {
    const quote = this.#text[this.#at] ?? "";
    if (quote !== '"' && quote !== "'") throw new PathSyntaxError("a text in quotes is missing");
    let value = "";
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      if (this.#text[this.#at] !== quote) value += this.#text[this.#at];
      else if (this.#text[this.#at + 1] === quote) value += this.#text[++this.#at];
      else {
        this.#at++;
        return value;
      }
    }
    throw new PathSyntaxError("the quote is not closed");
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) throw new PathSyntaxError(`${character} is missing`);
    this.#at++;
  }
}

class PathSyntaxError extends Error {
  override readonly name = "PathSyntaxError";
}

const PLAIN_NAME = /^[^.[\]'"$\s](?:[^.[\]'"]*[^.[\]'"\s])?$/;

/** The text of a path's steps; `parsePath` reads it back. */
export function formatSteps(steps: readonly PathStep[]): string {
  return steps
    .map((step, index) => {
      if (step.kind === "index") return `[${step.index}]`;
      if (step.kind === "every") return "[*]";
      if (step.kind === "name" && PLAIN_NAME.test(step.name))
        return index === 0 ? step.name : `.${step.name}`;
      if (step.kind === "name") return `[${quoted(step.name)}]`;
      const member = formatMember(step.names);
      const sign = step.test === "equals" ? "=" : "!=";
      return step.test === "exists" ? `[?${member}]` : `[?${member}${sign}${quoted(step.value)}]`;
    })
    .join("");
}

/** In a condition names with the signs of comparison stand in quotes too. */
function formatMember(names: readonly string[]): string {
  return names
    .map((name, index) => {
      if (!PLAIN_NAME.test(name) || /[=!?]/.test(name)) return `[${quoted(name)}]`;
      return index === 0 ? name : `.${name}`;
    })
    .join("");
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** A token of a JSON pointer (RFC 6901), with its slash. */
export function pointerToken(name: string | number): string {
  return `/${typeof name === "number" ? name : name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

export type TargetStep = string | number;

/** Highest place of a list that a target may name. */
const TARGET_INDEX_MAX = 999;

/** Reads a place of the output: names with dots or in `["…"]`, `[0]` for places of a list; `""` is all of it. */
export function parseTarget(
  text: string,
): { ok: true; steps: TargetStep[] } | { ok: false; message: string } {
  if (text === "") return { ok: true, steps: [] };
  const outcome = parsePath(text);
  if (!outcome.ok) return outcome;
  const { head, steps } = outcome.path;
  if (head !== "item")
    return { ok: false, message: 'a target cannot begin with $; write ["$name"] for such a name' };
  const target: TargetStep[] = [];
  for (const step of steps) {
    if (step.kind === "name" && step.name === "__proto__")
      return { ok: false, message: "__proto__ is not a name that can be written" };
    if (step.kind === "name") target.push(step.name);
    else if (step.kind === "index" && step.index >= 0 && step.index <= TARGET_INDEX_MAX)
      target.push(step.index);
    else
      return {
        ok: false,
        message: `a target has names and places from 0 to ${TARGET_INDEX_MAX} only; lists come from each`,
      };
  }
  return { ok: true, steps: target };
}
