import { type Variable, VARIABLES } from "../platform/config-variables.ts";

/** Every environment variable as a Markdown table: the README's own, which a test compares with this. */
export function configTable(): string {
  const rows = Object.entries(VARIABLES).map(([name, { defaultText, about }]: [string, Variable]) => {
    const shown = defaultText === undefined || defaultText === "" ? "" : `\`${defaultText}\``;
    return `| \`${name}\` | ${shown} | ${about.replaceAll("|", String.raw`\|`)} |`;
  });
  return ["| variable | default | what it does |", "|---|---|---|", ...rows].join("\n");
}
