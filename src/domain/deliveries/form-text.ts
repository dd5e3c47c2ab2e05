import { withExactNumbers } from "../../platform/json/exact-numbers.ts";

/**
 * A JSON document as a form (WHATWG URL, application/x-www-form-urlencoded): the members of an object as fields, texts as
 * they are, null as an empty field, numbers as they were written, objects and lists as JSON. A text is a form already;
 * anything else stays JSON.
 */
export function formText(json: string): string {
  const value = withExactNumbers(json, JSON.parse(json));
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return json;
  const form = new URLSearchParams();
  for (const [name, member] of Object.entries(value))
    form.append(name, typeof member === "string" ? member : member === null ? "" : JSON.stringify(member));
  return form.toString();
}
