import { describeScheme } from "../domain/inbound/describe-scheme.ts";
import type { SchemeDescription } from "../domain/inbound/scheme-schema.ts";
import { SCHEMES } from "../domain/inbound/schemes/registry.ts";

/** First line of the table, by which a test finds it in the README. */
export const SCHEME_TABLE_HEAD = "| scheme | sender | proof | event id | event type |";

/** Every signature scheme as a Markdown table: the README's own, which a test compares with this. */
export function schemeTable(): string {
  const rows = SCHEMES.map(describeScheme).map((scheme) => {
    const { name, title, documentationUrl, eventId, eventType } = scheme;
    const sender = documentationUrl === null ? title : `[${title}](${documentationUrl})`;
    const cells = [`\`${name}\``, sender, proofText(scheme), placeText(eventId), placeText(eventType)];
    return `| ${cells.map((cell) => cell.replaceAll("|", String.raw`\|`)).join(" | ")} |`;
  });
  return [SCHEME_TABLE_HEAD, "|---|---|---|---|---|", ...rows].join("\n");
}

/** DocuSign numbers a hundred headers; the first ones tell how the others are called. */
const HEADERS_SHOWN = 6;

function proofText({ proof, algorithm, headers, tokenPlace }: SchemeDescription): string {
  const what = algorithm ?? { certificate: "certificate", jwt: "JWT", basic: "Basic" }[proof] ?? proof;
  const places = headers.slice(0, HEADERS_SHOWN).map(code).join(", ") || placeText(tokenPlace);
  const more = headers.length > HEADERS_SHOWN ? `, and ${headers.length - HEADERS_SHOWN} more` : "";
  return places === "" ? what : `${what}: ${places}${more}`;
}

function placeText(place: SchemeDescription["eventId"]): string {
  if (place === null) return "";
  if (place.unique !== undefined) return "each request";
  const places = [place.header, place.orHeader, place.pointer, place.orPointer, place.xmlPath]
    .filter((one) => one !== undefined)
    .map(code);
  if (place.pointers !== undefined)
    places.push(place.pointers.map(code).join(" + ") + elementsText(place.each));
  for (const field of [place.form, place.orForm])
    if (field !== undefined) places.push(`form field ${code(field)}`);
  if (place.body !== undefined || place.orBody !== undefined) places.push("hash of the body");
  return places.join(", else ");
}

function elementsText(each: string | undefined): string {
  if (each === undefined) return "";
  return each === "" ? " of each element" : ` of each element of ${code(each)}`;
}

function code(text: string): string {
  return `\`${text}\``;
}
