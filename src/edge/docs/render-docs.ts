import type { JsonSchema, OpenApiDocument, Operation } from "../openapi.ts";

/** Schemas are shown this deep; what lies below is in the document. */
const DEPTH_MAX = 6;

/** The API as one HTML page without a script, so that its Content-Security-Policy can forbid them all. */
export function renderDocs(document: OpenApiDocument): string {
  const groups = groupByTag(document);
  const navigation = [...groups.keys()].map((tag) => `<a href="#${anchor(tag)}">${escape(tag)}</a>`).join("");
  const sections = [...groups].map(
    ([tag, operations]) =>
      `<section id="${anchor(tag)}"><h2>${escape(tag)}</h2>${operations.join("")}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(document.info.title)} API</title>
<link rel="stylesheet" href="/docs/style.css">
</head>
<body>
<header>
<h1>${escape(document.info.title)} API</h1>
<p>${text(document.info.description)}</p>
<p>Send <code>Authorization: Bearer &lt;API key or token&gt;</code>. For programs: <a href="/openapi.json">openapi.json</a>.</p>
<nav>${navigation}</nav>
</header>
<main>${sections.join("\n")}</main>
</body>
</html>
`;
}

function groupByTag(document: OpenApiDocument): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "Other";
      groups.set(tag, [...(groups.get(tag) ?? []), renderOperation(method, path, operation)]);
    }
  }
  return groups;
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const parameters = (operation.parameters ?? []).map(
    (parameter) =>
      `<tr><td><code>${escape(parameter.name)}</code></td><td>${parameter.in}${parameter.required ? ", required" : ""}</td>` +
      `<td>${typeOf(parameter.schema)}</td><td>${text(parameter.description ?? "")}</td></tr>`,
  );
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const schema = Object.values(answer.content ?? {})[0]?.schema;
    const shown = schema !== undefined && status < "300" ? renderSchema(schema, 0) : "";
    return `<dt>${status}</dt><dd>${text(answer.description)}${shown}</dd>`;
  });
  return (
    `<details id="${operation.operationId}"><summary><b class="${method}">${method.toUpperCase()}</b> ` +
    `<code>${escape(path)}</code> ${escape(operation.summary ?? "")}</summary><div>` +
    (operation.description === undefined ? "" : `<p>${text(operation.description)}</p>`) +
    (parameters.length === 0 ? "" : `<h3>Parameters</h3><table>${parameters.join("")}</table>`) +
    (body === undefined ? "" : `<h3>Body</h3>${renderSchema(body, 0)}`) +
    `<h3>Answers</h3><dl>${answers.join("")}</dl></div></details>`
  );
}

function renderSchema(schema: JsonSchema, depth: number): string {
  const items = schema["items"] as JsonSchema | undefined;
  if (items !== undefined && depth < DEPTH_MAX) return renderSchema(items, depth + 1);
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, JsonSchema>);
  if (properties.length === 0) return "";
  const required = new Set((schema["required"] ?? []) as string[]);
  const rows = properties.map(([name, property]) => {
    const nested = depth < DEPTH_MAX ? renderSchema(property, depth + 1) : "";
    return (
      `<tr><td><code>${escape(name)}</code>${required.has(name) ? " *" : ""}</td><td>${typeOf(property)}</td>` +
      `<td>${text(String(property["description"] ?? ""))}${nested}</td></tr>`
    );
  });
  return `<table>${rows.join("")}</table>`;
}

function typeOf(schema: JsonSchema): string {
  const members = schema["anyOf"] as JsonSchema[] | undefined;
  if (members !== undefined) return [...new Set(members.map(typeOf))].join(" | ");
  if ("const" in schema) return `<code>${escape(JSON.stringify(schema["const"]))}</code>`;
  if (schema["type"] === "array") return `list of ${typeOf((schema["items"] ?? {}) as JsonSchema)}`;
  return escape(String(schema["format"] ?? schema["type"] ?? "any"));
}

function anchor(tag: string): string {
  return tag.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}

/** Escaped, with `code` marked up. */
function text(markdown: string): string {
  return escape(markdown).replaceAll(/`([^`]+)`/g, "<code>$1</code>");
}

function escape(raw: string): string {
  return raw
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
