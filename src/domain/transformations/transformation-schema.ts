import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { VERSION_MAX } from "./schema.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = Type.String({ format: "date-time" });
const Id = Type.String({ format: "uuid" });

export const DocumentFormat = Type.Union([
  Type.Literal("JSON"),
  Type.Literal("XML"),
  Type.Literal("CSV"),
  Type.Literal("X12"),
]);
export type DocumentFormat = Static<typeof DocumentFormat>;

/** Judged by the verb, which tells every fault at once; the framework only sees that it is an object. */
const judged = (description: string) =>
  Type.Unsafe<Record<string, unknown>>({ ...Type.Record(Type.String(), Type.Unknown()), description });

const content = {
  sourceFormat: DocumentFormat,
  targetFormat: DocumentFormat,
  mappingRules: judged("How the target document is made: see the guide of mapping rules."),
  validationRules: Nullable(
    judged("What the source and the target must be: JSON Schema of each, and rules with messages."),
  ),
};

const head = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  description: Nullable(Type.String({ maxLength: 4000 })),
  category: Nullable(Type.String({ minLength: 1, maxLength: 50, examples: ["LOAD", "CARRIER", "INVOICE"] })),
  isActive: Type.Boolean({ description: "false: nobody can name it, and documents that need it wait." }),
};

/** An example document. */
export const Example = Type.Unknown({
  description:
    "A string is the document's text. With JSON as its format any other value is the document itself.",
});

export const InputEncoding = Type.Union([Type.Literal("utf8"), Type.Literal("base64")], {
  description: "base64: the document's bytes, for texts that are not UTF-8.",
});

/** A test case as it is given. */
export const TestInput = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    input: Example,
    inputEncoding: Type.Optional(InputEncoding),
    expected: Type.Optional(Example),
    expectedCode: Type.Optional(
      Nullable(
        Type.String({
          minLength: 1,
          maxLength: 100,
          description: "Code of the fault with which the document is to be refused.",
        }),
      ),
    ),
  },
  {
    additionalProperties: false,
    description: "With neither `expected` nor `expectedCode` the document only has to pass.",
  },
);
export type TestInput = Static<typeof TestInput>;

const TESTS_MAX = 50;
const tests = Type.Array(TestInput, {
  maxItems: TESTS_MAX,
  description:
    "All test cases of the template. They are run before the change is stored, which fails with them.",
});
const note = Type.String({ maxLength: 500, description: "Why this version was made." });

export const CreateTransformationInput = Type.Object(
  {
    code: Type.String({
      pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$",
      description: "Unique within the tenant. A system template of the same code is hidden by it.",
    }),
    name: head.name,
    description: Type.Optional(head.description),
    category: Type.Optional(head.category),
    isActive: Type.Optional(head.isActive),
    sourceFormat: content.sourceFormat,
    targetFormat: content.targetFormat,
    mappingRules: content.mappingRules,
    validationRules: Type.Optional(content.validationRules),
    tests: Type.Optional(tests),
    note: Type.Optional(note),
  },
  { additionalProperties: false },
);
export type CreateTransformationInput = Static<typeof CreateTransformationInput>;

const expectedVersion = Type.Integer({
  minimum: 1,
  maximum: VERSION_MAX,
  description: "The version that the change was made from: 409 when there is a newer one.",
});

export const UpdateTransformationInput = Type.Object(
  {
    name: Type.Optional(head.name),
    description: Type.Optional(head.description),
    category: Type.Optional(head.category),
    isActive: Type.Optional(head.isActive),
    sourceFormat: Type.Optional(content.sourceFormat),
    targetFormat: Type.Optional(content.targetFormat),
    mappingRules: Type.Optional(content.mappingRules),
    validationRules: Type.Optional(content.validationRules),
    tests: Type.Optional(tests),
    note: Type.Optional(note),
    version: Type.Optional(expectedVersion),
  },
  { additionalProperties: false },
);
export type UpdateTransformationInput = Static<typeof UpdateTransformationInput>;

export const RollBackInput = Type.Object(
  {
    version: Type.Integer({
      minimum: 1,
      maximum: VERSION_MAX,
      description: "Its content becomes the newest version.",
    }),
    note: Type.Optional(note),
  },
  { additionalProperties: false },
);
export type RollBackInput = Static<typeof RollBackInput>;

export const CloneInput = Type.Object(
  {
    code: CreateTransformationInput.properties.code,
    name: Type.Optional(head.name),
    version: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: VERSION_MAX,
        description: "Which version is copied; the newest when left out.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type CloneInput = Static<typeof CloneInput>;

export const ReplaceTestsInput = Type.Object({ tests }, { additionalProperties: false });
export type ReplaceTestsInput = Static<typeof ReplaceTestsInput>;

export const RunTestsInput = Type.Object(
  {
    version: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: VERSION_MAX,
        description: "The version that is tried; the newest when left out.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type RunTestsInput = Static<typeof RunTestsInput>;

export const ResumeInput = Type.Object(
  {
    version: Type.Optional(
      Type.Integer({ minimum: 1, maximum: VERSION_MAX, description: "Every version when left out." }),
    ),
  },
  { additionalProperties: false },
);
export type ResumeInput = Static<typeof ResumeInput>;

/** A version that rests because it failed one document after the other. */
const Pause = Type.Object({
  version: Type.Integer(),
  code: Type.String({ description: "Of the last fault." }),
  message: Type.String(),
  failures: Type.Integer(),
  pauses: Type.Integer({ description: "In a row; each is longer than the one before." }),
  pausedAt: Time,
  pausedUntil: Time,
});

const listed = {
  id: Id,
  tenantId: Nullable(Id),
  code: Type.String(),
  name: head.name,
  description: head.description,
  category: head.category,
  sourceFormat: DocumentFormat,
  targetFormat: DocumentFormat,
  isSystem: Type.Boolean({ description: "Every tenant uses it, none changes it; clone it to do so." }),
  isActive: Type.Boolean(),
  version: Type.Integer({ description: "The newest, which `latest` names." }),
  pauses: Type.Array(Pause, {
    description: "Versions that rest for this tenant: their documents wait. Empty when all is well.",
  }),
  createdAt: Time,
  updatedAt: Time,
  createdBy: Nullable(Type.String()),
};

/** A template as lists show it. */
export const Transformation = Type.Object(listed);
export type Transformation = Static<typeof Transformation>;

const shownContent = {
  mappingRules: content.mappingRules,
  validationRules: content.validationRules,
};

/** A template with the content of its newest version. */
export const TransformationDetail = Type.Object({ ...listed, ...shownContent });
export type TransformationDetail = Static<typeof TransformationDetail>;

/** One version; it never changes. */
export const TransformationVersion = Type.Object({
  id: Id,
  templateId: Id,
  version: Type.Integer(),
  note: Nullable(Type.String()),
  restoredFrom: Nullable(Type.Integer({ description: "The version whose content a roll back took." })),
  subTemplates: Type.Array(Type.String(), { description: "Codes of the templates that its rules call." }),
  sourceFormat: DocumentFormat,
  targetFormat: DocumentFormat,
  ...shownContent,
  createdBy: Nullable(Type.String()),
  createdAt: Time,
});
export type TransformationVersion = Static<typeof TransformationVersion>;

/** A stored test case. */
export const TransformationTest = Type.Object({
  id: Id,
  name: Type.String(),
  input: Type.String({ description: "The document's text." }),
  inputEncoding: InputEncoding,
  expected: Nullable(Type.String()),
  expectedEncoding: Nullable(InputEncoding),
  expectedCode: Nullable(Type.String()),
  lastPassed: Nullable(Type.Boolean()),
  lastMessage: Nullable(Type.String()),
  lastRunAt: Nullable(Time),
  createdAt: Time,
  updatedAt: Time,
});
export type TransformationTest = Static<typeof TransformationTest>;

export const TestList = Type.Object({ data: Type.Array(TransformationTest) });

/** How the tests went. */
export const TestRun = Type.Object({
  passed: Type.Boolean(),
  version: Type.Integer(),
  results: Type.Array(
    Type.Object({ name: Type.String(), passed: Type.Boolean(), message: Nullable(Type.String()) }),
  ),
});
export type TestRun = Static<typeof TestRun>;

export const TemplateUsers = Type.Object({
  data: Type.Array(
    Type.Object({
      kind: Type.Union([
        Type.Literal("endpoint"),
        Type.Literal("subscription"),
        Type.Literal("transformation"),
        Type.Literal("edi_partner"),
      ]),
      id: Id,
      name: Type.String(),
      version: Nullable(Type.Integer({ description: "null: it follows the newest." })),
    }),
  ),
});

/** The content of a mapping that need not be stored. */
export const ContentInput = Type.Object(
  {
    sourceFormat: content.sourceFormat,
    targetFormat: content.targetFormat,
    mappingRules: content.mappingRules,
    validationRules: Type.Optional(content.validationRules),
  },
  { additionalProperties: false },
);
export type ContentInput = Static<typeof ContentInput>;
