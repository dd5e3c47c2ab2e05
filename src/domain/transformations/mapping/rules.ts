import type { Static, TSchema } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";

/** Bounds of one template, checked when it is saved. */
export const RULES_MAX = {
  /** Rules of one object. */
  rules: 2_000,
  /** Rules and expressions of one template together. */
  nodes: 5_000,
  /** Expressions inside each other. */
  depth: 40,
  pathChars: 500,
  /** Entries of all lookup tables of one template. */
  tableEntries: 20_000,
} as const;

const strict = { additionalProperties: false } as const;

/** What counts as no value: `missing` only, `null` too, or `empty` too (text, list and object without content). */
export const Blank = Type.Union([Type.Literal("missing"), Type.Literal("null"), Type.Literal("empty")]);
export type Blank = Static<typeof Blank>;

/** A path into the source, for example `stops[*].address.city`; `parsePath` has the grammar. */
export const SourcePath = Type.String({ minLength: 1, maxLength: RULES_MAX.pathChars });

/** A place in the output: names with dots, `[0]` for places of a list; `""` is the whole output. */
export const TargetPath = Type.String({ maxLength: RULES_MAX.pathChars });

const TableEntries = Type.Record(Type.String({ maxLength: 500 }), Type.Unknown());

/** One rule; `expression` as in `mappingForms`. */
const ruleForm = <E extends TSchema>(expression: E) =>
  Type.Object(
    {
      target: TargetPath,
      from: Type.Optional(expression),
      when: Type.Optional(expression),
      default: Type.Optional(expression),
      blank: Type.Optional(Blank),
      required: Type.Optional(Type.Boolean()),
      remove: Type.Optional(Type.Literal(true)),
      note: Type.Optional(Type.String({ maxLength: 2_000 })),
    },
    strict,
  );

/**
 * The forms of a rule and of an expression, by the member that tells them apart. `expression` stands where an
 * expression contains another one: the type as a whole needs itself there, the check of one node needs none.
 */
export const mappingForms = <E extends TSchema>(expression: E) => {
  const rule = ruleForm(expression);
  return {
    rule,
    path: Type.Object({ path: SourcePath }, strict),
    value: Type.Object({ value: Type.Unknown() }, strict),
    concat: Type.Object(
      {
        concat: Type.Array(expression, { minItems: 1, maxItems: 200 }),
        separator: Type.Optional(Type.String({ maxLength: 100 })),
      },
      strict,
    ),
    call: Type.Object(
      {
        call: Type.String({ maxLength: 100 }),
        args: Type.Optional(Type.Array(expression, { maxItems: 200 })),
      },
      strict,
    ),
    // oxlint-disable-next-line unicorn/no-thenable -- data, never a function
    if: Type.Object({ if: expression, then: expression, else: Type.Optional(expression) }, strict),
    first: Type.Object(
      { first: Type.Array(expression, { minItems: 1, maxItems: 200 }), blank: Type.Optional(Blank) },
      strict,
    ),
    each: Type.Object({ each: expression, where: Type.Optional(expression), do: expression }, strict),
    group: Type.Object(
      {
        group: expression,
        by: expression,
        do: expression,
        as: Type.Optional(Type.Union([Type.Literal("list"), Type.Literal("object")])),
      },
      strict,
    ),
    object: Type.Object(
      {
        object: Type.Array(rule, { maxItems: RULES_MAX.rules }),
        base: Type.Optional(expression),
      },
      strict,
    ),
    list: Type.Object({ list: Type.Array(expression, { maxItems: 2_000 }) }, strict),
    lookup: Type.Object(
      {
        lookup: expression,
        table: Type.Union([Type.String({ minLength: 1, maxLength: 100 }), TableEntries]),
        default: Type.Optional(expression),
        reverse: Type.Optional(Type.Boolean()),
      },
      strict,
    ),
    jsonata: Type.Object(
      { jsonata: Type.String({ minLength: 1, maxLength: 16_384 }), input: Type.Optional(expression) },
      strict,
    ),
    mapping: Type.Object(
      {
        mapping: Type.String({ minLength: 1, maxLength: 200 }),
        version: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Literal("latest")])),
        input: Type.Optional(expression),
      },
      strict,
    ),
  };
};

/**
 * Where a value comes from. A text is a path, a number or a truth value is itself; everything else is an object whose
 * first member names its form:
 *
 * - `{ path }`, `{ value }` (any constant)
 * - `{ concat, separator? }`: texts and numbers joined; what is missing is left out
 * - `{ call, args? }`: a function of the library
 * - `{ if, then, else? }`, `{ first, blank? }` (the first of several that has a value)
 * - `{ each, where?, do }`: a list, element by element; inside, paths start at the element
 * - `{ group, by, do, as? }`: elements with the same key together; inside, `key` and `items`
 * - `{ object, base? }`: rules of an inner object, over a copy of `base` where there is one; `{ list }`
 * - `{ lookup, table, default?, reverse? }`: a table of the template, of the library, or written here
 * - `{ jsonata, input? }`: evaluated in a process of its own; `input` is the present element unless given
 * - `{ mapping, version?, input? }`: the rules of another template
 */
export const MappingExpression = Type.Recursive(
  (This) => {
    const forms = mappingForms(This);
    return Type.Union([
      Type.String({ minLength: 1, maxLength: RULES_MAX.pathChars, description: "A path into the source" }),
      Type.Number(),
      Type.Boolean(),
      forms.path,
      forms.value,
      forms.concat,
      forms.call,
      forms.if,
      forms.first,
      forms.each,
      forms.group,
      forms.object,
      forms.list,
      forms.lookup,
      forms.jsonata,
      forms.mapping,
    ]);
  },
  { $id: "MappingExpression" },
);
export type MappingExpression = Static<typeof MappingExpression>;

/**
 * Fills one place of the output. What `blank` counts as no value (`missing` unless said otherwise) becomes `default`;
 * without one a `required` place is a fault and any other is left out. `when` that is not true leaves it out too.
 * `remove` takes a place out of what `merge` began with.
 */
export const MappingRule = mappingForms(MappingExpression).rule;
export type MappingRule = Static<typeof MappingRule>;

/** `mapping_rules` of a template. */
export const MappingRules = Type.Object(
  {
    mode: Type.Optional(
      Type.Union([Type.Literal("build"), Type.Literal("merge")], {
        description:
          "`build` (default): the output holds what the rules say. `merge`: it begins as a copy of the input.",
      }),
    ),
    recordPath: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: RULES_MAX.pathChars,
        description:
          "The repeated part of the source (`orders.order`; `[*]` for the rows of CSV). The rules are applied to each " +
          "record by itself, their paths start at the record, and CSV and XML of any size pass.",
      }),
    ),
    source: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "How the source is read" }),
    ),
    target: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "How the output is written" }),
    ),
    tables: Type.Optional(
      Type.Record(Type.String({ maxLength: 100 }), TableEntries, {
        description: "Lookup tables by name: value in the source → value in the output",
      }),
    ),
    rules: Type.Array(MappingRule, { maxItems: RULES_MAX.rules }),
  },
  { additionalProperties: false, description: "How a document becomes another" },
);
export type MappingRules = Static<typeof MappingRules>;

/** One condition; see `ValidationRules`. */
export const ValidationRule = Type.Object(
  {
    on: Type.Union([Type.Literal("input"), Type.Literal("output")]),
    check: MappingExpression,
    each: Type.Optional(SourcePath),
    path: Type.Optional(SourcePath),
    message: Type.String({ minLength: 1, maxLength: 500 }),
  },
  strict,
);
export type ValidationRule = Static<typeof ValidationRule>;

/**
 * `validation_rules` of a template: a JSON Schema (draft 2020-12, or 7 where `$schema` says so) for either side, and
 * rules: `check` must be true, for the document or for each element of the list `each`; else `message` is the fault, at
 * `path`.
 */
export const ValidationRules = Type.Object(
  {
    input: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "JSON Schema of the source" }),
    ),
    output: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "JSON Schema of the output" }),
    ),
    rules: Type.Optional(Type.Array(ValidationRule, { maxItems: 500 })),
  },
  { additionalProperties: false, description: "What a document must be before and after its mapping" },
);
export type ValidationRules = Static<typeof ValidationRules>;
