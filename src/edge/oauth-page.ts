import { createHash } from "node:crypto";

/** What a person reads in the browser. Everything in it is text. */
export interface OAuthPage {
  title: string;
  paragraphs: readonly string[];
}

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1.5rem;color:#1c2733;" +
  "background:#fff}h1{font-size:1.4rem}@media(prefers-color-scheme:dark){body{color:#dde5ec;background:#14191f}}";

/** Nothing is loaded, sent or framed; the one style is named by its hash. */
export const OAUTH_PAGE_POLICY =
  `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; ` +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The page as HTML, without script. */
export function renderOAuthPage({ title, paragraphs }: OAuthPage): string {
  const body = paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n");
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
