import type { InputField, ProviderManifest } from "./manifest-schema.ts";

const FORMATS: Readonly<Record<InputField["type"], object>> = {
  string: { type: "string" },
  integer: { type: "integer" },
  boolean: { type: "boolean" },
  url: { type: "string", format: "uri" },
  host: { type: "string", format: "hostname" },
  path: { type: "string" },
};

/**
 * The fields that whoever sets an integration up is asked for, as JSON Schema (`config_schema` of the specification).
 * Derived fields are left out: the hub finds them.
 */
export function configSchemaOf(manifest: ProviderManifest): Record<string, unknown> {
  const asked = manifest.fields.filter(({ kind }) => kind !== "derived");
  const always = asked.filter(({ required, visibleWhen }) => required && visibleWhen === undefined);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: Object.fromEntries(asked.map((field) => [field.name, propertyOf(field)])),
    required: always.map(({ name }) => name),
    additionalProperties: false,
  };
}

function propertyOf(field: InputField): Record<string, unknown> {
  const { label, help, kind, pattern, example, minLength, maxLength } = field;
  return {
    ...FORMATS[field.type],
    title: label,
    ...(help === undefined ? {} : { description: help }),
    ...(field.enum === undefined ? {} : { enum: field.enum }),
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(pattern === undefined ? {} : { pattern: `^(?:${pattern})$` }),
    ...(example === undefined ? {} : { examples: [example] }),
    ...(minLength === undefined ? {} : { minLength }),
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(kind === "secret" || kind === "one-time" ? { writeOnly: true } : {}),
  };
}
