import { createHash } from "node:crypto";

/** What a person reads in the browser. Everything in it is text. */
export interface OAuthPage {
  title: string;
  paragraphs: readonly string[];
  /** Buttons of which the person presses one. */
  choice?: {
    action: string;
    hidden: Readonly<Record<string, string>>;
    name: string;
    options: readonly { value: string; label: string }[];
  };
}

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1.5rem;color:#1c2733;" +
  "background:#fff}h1{font-size:1.4rem}@media(prefers-color-scheme:dark){body{color:#dde5ec;background:#14191f}}" +
  "button{font:inherit;width:100%;padding:.6rem 1rem;text-align:left;cursor:pointer}";

/** Nothing is loaded or framed, and nothing sent but a choice to the hub; the one style is named by its hash. */
export function oauthPagePolicy({ choice }: OAuthPage): string {
  return (
    `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; ` +
    `frame-ancestors 'none'; base-uri 'none'; form-action ${choice === undefined ? "'none'" : "'self'"}`
  );
}

/** The page as HTML, without script. */
export function renderOAuthPage({ title, paragraphs, choice }: OAuthPage): string {
  const body = paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n");
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
${choice === undefined ? "" : formOf(choice)}</main>
</body>
</html>
`;
}

function formOf({ action, hidden, name, options }: NonNullable<OAuthPage["choice"]>): string {
  const fields = Object.entries(hidden).map(
    ([field, value]) => `<input type="hidden" name="${escapeHtml(field)}" value="${escapeHtml(value)}">`,
  );
  const buttons = options.map(
    ({ value, label }) =>
      `<p><button name="${escapeHtml(name)}" value="${escapeHtml(value)}">${escapeHtml(label)}</button></p>`,
  );
  return `<form method="post" action="${escapeHtml(action)}">\n${[...fields, ...buttons].join("\n")}\n</form>\n`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
