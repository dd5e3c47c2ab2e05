import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { VERSION_MAX } from "./schema.ts";
import { DocumentFault } from "./document-fault.ts";
import { ContentInput, DocumentFormat, Example, InputEncoding } from "./transformation-schema.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const strict = { additionalProperties: false };

/** A stored version: `template` is an id or a code, `version` the newest when left out. */
const StoredReference = {
  template: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: "Id or code of a stored template." }),
  ),
  version: Type.Optional(
    Type.Union([Type.Integer({ minimum: 1, maximum: VERSION_MAX }), Type.Literal("latest")]),
  ),
};

/** A stored version, or a content that is not stored: one of the two. */
const versionInput = { ...StoredReference, ...Type.Partial(ContentInput).properties };

export const PreviewInput = Type.Object(
  {
    ...versionInput,
    input: Example,
    inputEncoding: Type.Optional(InputEncoding),
    context: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "Members of `$context`." }),
    ),
  },
  {
    ...strict,
    description:
      "`template` and `version` of a stored template, or the formats and rules of one that is not stored.",
  },
);
export type PreviewInput = Static<typeof PreviewInput>;

/** What one rule did. */
const RuleTrace = Type.Object({
  rule: Type.String({ description: "JSON pointer into the rules." }),
  runs: Type.Integer({ description: "A rule inside lists runs several times; the first values are shown." }),
  micros: Type.Number({ description: "Time of all runs, inner rules included, microseconds." }),
  values: Type.Array(
    Type.Object({
      source: Type.Optional(Type.String({ description: "JSON pointer into the source." })),
      target: Type.String({ description: "JSON pointer into the output." }),
      value: Type.Unknown(),
    }),
  ),
});

export const Preview = Type.Object({
  ok: Type.Boolean(),
  /** Present when ok. */
  output: Nullable(
    Type.Object({
      format: DocumentFormat,
      contentType: Type.String(),
      body: Type.String({ description: "The document as it would be sent." }),
      bodyEncoding: InputEncoding,
      document: Nullable(Type.Unknown({ description: "Its value, with JSON as target." })),
    }),
  ),
  code: Nullable(Type.String({ description: "Which step refused the document." })),
  message: Nullable(Type.String()),
  faults: Type.Array(DocumentFault),
  rules: Type.Array(RuleTrace),
  timing: Type.Object({
    readMicros: Type.Number(),
    mapMicros: Type.Number(),
    writeMicros: Type.Number(),
  }),
});
export type Preview = Static<typeof Preview>;

export const ValidateInput = Type.Object(
  {
    ...ContentInput.properties,
    code: Type.Optional(
      Type.String({
        maxLength: 50,
        description: "Of the template, so that a call that leads back to it is found.",
      }),
    ),
  },
  strict,
);
export type ValidateInput = Static<typeof ValidateInput>;

export const Validation = Type.Object({
  valid: Type.Boolean(),
  faults: Type.Array(
    Type.Object({
      path: Type.String({ description: "JSON pointer into the body." }),
      code: Type.String(),
      message: Type.String(),
    }),
  ),
});
export type Validation = Static<typeof Validation>;

export const SuggestInput = Type.Object(
  {
    sourceFormat: DocumentFormat,
    targetFormat: DocumentFormat,
    source: Example,
    target: Example,
  },
  { ...strict, description: "A document as it comes, and the document that is to become of it." },
);
export type SuggestInput = Static<typeof SuggestInput>;

export const Suggestion = Type.Object({
  mappingRules: Type.Record(Type.String(), Type.Unknown()),
  matches: Type.Array(
    Type.Object({
      target: Type.String(),
      source: Type.String(),
      confidence: Type.Number({ description: "From 0 to 1." }),
    }),
  ),
  unmatchedTargets: Type.Array(Type.String()),
});
export type Suggestion = Static<typeof Suggestion>;

export const CoverageInput = Type.Object(
  {
    ...versionInput,
    source: Type.Optional(Example),
    target: Type.Optional(Example),
    targetSchema: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: "JSON Schema of the target; `output` of the validation rules when left out.",
      }),
    ),
  },
  {
    ...strict,
    description: "A version as for preview, with a source document and what the target asks for.",
  },
);
export type CoverageInput = Static<typeof CoverageInput>;

const Paths = (description: string) => Type.Array(Type.String(), { description });

export const CoverageReport = Type.Object({
  unusedSource: Paths("Fields of the source document that no rule reads."),
  sourceFields: Type.Integer({ description: "Fields of the source document." }),
  targets: Paths("Places that rules write."),
  unmappedRequired: Paths("What the target's schema demands and no rule writes."),
  unmappedOptional: Paths("Other fields of the target's schema or sample that no rule writes."),
  unknownTargets: Paths("Places written that the target's schema does not allow."),
});
export type CoverageReport = Static<typeof CoverageReport>;

export const ShadowInput = Type.Object(
  {
    endpointId: Type.Optional(Type.String({ format: "uuid", description: "Its recent receipts are taken." })),
    subscriptionId: Type.Optional(
      Type.String({ format: "uuid", description: "The events of its recent deliveries are taken." }),
    ),
    baseline: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: VERSION_MAX,
        description: "The version that serves now; the one in use, else the newest.",
      }),
    ),
    candidate: Type.Union(
      [Type.Object({ version: Type.Integer({ minimum: 1, maximum: VERSION_MAX }) }, strict), ContentInput],
      {
        description: "A version of the template, or a content that is not stored yet.",
      },
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 200,
        description: "Documents that are compared; 50 when left out.",
      }),
    ),
  },
  { ...strict, description: "One of `endpointId` and `subscriptionId`." },
);
export type ShadowInput = Static<typeof ShadowInput>;

const ShadowFailure = Type.Object({
  code: Type.String(),
  message: Type.String(),
  faults: Type.Array(DocumentFault),
});

export const ShadowReport = Type.Object({
  baselineVersion: Type.Integer(),
  candidateVersion: Nullable(Type.Integer()),
  compared: Type.Integer(),
  equal: Type.Integer(),
  different: Type.Integer(),
  newlyFailing: Type.Integer({ description: "The candidate refuses what the baseline takes." }),
  newlyPassing: Type.Integer({ description: "The candidate takes what the baseline refuses." }),
  failingBoth: Type.Integer(),
  skipped: Type.Integer({
    description: "Documents that are not stored any more, or too large for a comparison.",
  }),
  findings: Type.Array(
    Type.Object({
      documentId: Type.String({ description: "Id of the receipt or the event." }),
      kind: Type.Union([
        Type.Literal("different"),
        Type.Literal("newlyFailing"),
        Type.Literal("newlyPassing"),
        Type.Literal("failingBoth"),
      ]),
      differences: Type.Array(
        Type.Object({
          pointer: Type.String(),
          before: Type.Optional(Type.Unknown()),
          after: Type.Optional(Type.Unknown()),
        }),
      ),
      baselineFailure: Nullable(ShadowFailure),
      candidateFailure: Nullable(ShadowFailure),
    }),
    { description: "What is not equal, newest first; the first 20." },
  ),
});
export type ShadowReport = Static<typeof ShadowReport>;
