import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import style from "../docs/style.css" with { type: "text" };
import { renderDocs } from "../docs/render-docs.ts";
import type { OpenApiDocument } from "../openapi.ts";
import { publicProblems } from "../problems.ts";

/** The page loads its own style sheet and nothing else: no script, no request that leaves the machine. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/**
 * `/openapi.json` and `/docs`.
 *
 * @param createDocument makes the document; called once, on the first request
 */
export const docsRoutes = (createDocument: () => OpenApiDocument) => {
  let document: OpenApiDocument | undefined;
  let page: string | undefined;
  const documentOnce = (): OpenApiDocument => (document ??= createDocument());
  return new Elysia({ name: "docs-routes", normalize: false })
    .get("/openapi.json", () => documentOnce() as Record<string, unknown>, {
      response: { 200: Type.Record(Type.String(), Type.Unknown()), ...publicProblems() },
      detail: { tags: ["Docs"], summary: "This API as an OpenAPI document" },
    })
    .get(
      "/docs",
      ({ set }) => {
        set.headers["content-type"] = "text/html; charset=utf-8";
        set.headers["content-security-policy"] = PAGE_POLICY;
        return (page ??= renderDocs(documentOnce()));
      },
      {
        response: { 200: Type.String({ contentMediaType: "text/html" }), ...publicProblems() },
        detail: { tags: ["Docs"], summary: "This API as a page" },
      },
    )
    .get(
      "/docs/style.css",
      ({ set }) => {
        set.headers["content-type"] = "text/css; charset=utf-8";
        return style;
      },
      {
        response: { 200: Type.String({ contentMediaType: "text/css" }), ...publicProblems() },
        detail: { hide: true },
      },
    );
};
