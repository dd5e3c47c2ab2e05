import type { StoredTemplate } from "../transformations/schema.ts";

/** A template's id or code, with a version behind `@` or without one. */
const REFERENCE = /^([A-Za-z0-9][A-Za-z0-9._-]{0,49})(?:@(latest|[1-9]\d{0,8}))?$/;

/** Reads `<code>[@<version>]`; undefined where it is none. */
export function readTemplateOption(text: string): StoredTemplate | undefined {
  const match = REFERENCE.exec(text.trim());
  if (match === null) return undefined;
  const [, template, version] = match;
  if (version === undefined) return { template: template! };
  return { template: template!, version: version === "latest" ? "latest" : Number(version) };
}
