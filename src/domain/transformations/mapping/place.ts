import type { TSchema } from "@sinclair/typebox";
import type { MappingFault, MappingFaultCode, RuleTrace } from "./mapping-result.ts";
import type { Path } from "./path.ts";
import { pointerToken } from "./path.ts";
import type { Site } from "./scope.ts";
import type { LookupTable } from "./tables.ts";
import type { Evaluate } from "./walk-path.ts";
import { locatePath } from "./walk-path.ts";

/** An expression, ready to run. */
export interface Compiled {
  evaluate: Evaluate;
  /** Its values are counted for the limits of the output while they are made. */
  emits: boolean;
  /** The path that it starts from, for places of faults. */
  path?: Path;
  /** Set where the value stands in the rules. */
  constant?: { value: unknown };
}

/** Where an expression stands. */
export interface Place {
  /** JSON pointer into its template's rules. */
  pointer: string;
  /** Where its value goes; `undefined` for a place in a list. */
  target: readonly (string | number | undefined)[];
  /** Levels of objects and lists around its value. */
  outputDepth: number;
  /** Expressions around it. */
  depth: number;
  /** Lists around it, whose elements its paths start from. */
  levels: number;
  template: Template;
}

/** The template that an expression belongs to. */
export interface Template {
  tables: ReadonlyMap<string, LookupTable>;
  isRecord: boolean;
  /** Codes of the templates that called each other down to this one. */
  codes: readonly string[];
  /** Place of the call in the template that is compiled; undefined for itself. */
  call: { pointer: string; code: string } | undefined;
}

/** A node of the rules whose form is known; its members are checked by the forms' table. */
export type Node = Readonly<Record<string, unknown>>;

/** What a form asks of the compiler that it is a part of. */
export interface ExpressionCompiler {
  /** What each rule did, for a preview; undefined where nobody asks. */
  readonly traces: Map<string, RuleTrace> | undefined;
  /** Any expression. A fault gives an expression without a value. */
  expression(node: unknown, place: Place): Compiled;
  /** A lookup table by its name, or one that stands in the rules. */
  table(named: unknown, place: Place): LookupTable | undefined;
  /** Checks one node against its form. @returns whether it fits */
  checkShape(
    schema: TSchema,
    node: unknown,
    pointer: string,
    place?: (fault: MappingFault) => MappingFault,
  ): boolean;
  fault(code: MappingFaultCode, message: string, place: Place): void;
  /** A fault of a called template stands at its call. */
  inTemplate(fault: MappingFault, place: Place): MappingFault;
}

/** A place inside a place. */
export function within(place: Place, ...names: (string | number)[]): Place {
  return { ...place, pointer: place.pointer + names.map(pointerToken).join(""), depth: place.depth + 1 };
}

/** JSON pointer of a place in the template that is compiled: of the call where it is in a called one. */
export function pointerOf({ pointer, template }: Place): string {
  return template.call?.pointer ?? pointer;
}

/** What a fault of a running document needs to know of its place. */
export function siteOf(place: Place, path: Path | undefined): Site {
  const { call } = place.template;
  return {
    rule: pointerOf(place),
    inner: call === undefined ? undefined : `${call.code}${place.pointer}`,
    target: place.target,
    locate: path === undefined ? undefined : (scope) => locatePath(path, scope),
  };
}
