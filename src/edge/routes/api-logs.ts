import { Elysia, t } from "elysia";
import { getApiLog } from "../../domain/api-logs/get-api-log.ts";
import { listIntegrationLogs } from "../../domain/api-logs/list-integration-logs.ts";
import { ApiLog, ApiLogDetail } from "../../domain/api-logs/schema.ts";
import { searchApiLogs } from "../../domain/api-logs/search-api-logs.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["API logs"];

const text = (maxLength: number, description: string) =>
  t.Optional(t.String({ minLength: 1, maxLength, description }));
const time = (description: string) => t.Optional(t.String({ minLength: 1, maxLength: 40, description }));
const id = (description: string) => t.Optional(t.String({ format: "uuid", description }));

const filters = {
  from: time("RFC 3339, included; 24 hours before `to` when left out. At most 31 days in one search."),
  to: time("RFC 3339, not included; now when left out."),
  status: t.Optional(ApiLog.properties.status),
  direction: t.Optional(ApiLog.properties.direction),
  method: text(20, "HTTP method, upper case."),
  url: text(500, "Part of the URL, in any case."),
  correlationId: text(100, "X-Request-Id of the call that this belongs to."),
  endpointId: id("Inbound endpoint."),
};

/** Search and detail of calls in and out, and the calls of one integration. */
export const apiLogRoutes = (runtime: Runtime) =>
  new Elysia({ name: "api-log-routes", prefix: "/api/v1", normalize: false })
    .use(authenticated(runtime))
    .get("/api-logs/search", ({ ctx, query }) => searchApiLogs(ctx, query), {
      query: listQuery({ ...filters, integrationId: id("Integration of the call.") }),
      response: { 200: listOf(ApiLog), ...problems() },
      detail: { tags, summary: "Search logs", description: "Scope `logs:read`. Newest first." },
    })
    .get("/api-logs/:logId", ({ ctx, params }) => getApiLog(ctx, { id: params.logId }), {
      params: t.Object({ logId: t.String({ format: "uuid" }) }),
      response: { 200: ApiLogDetail, ...problems(404) },
      detail: {
        tags,
        summary: "Get log details",
        description:
          "Scope `logs:read`. Headers and bodies as stored: secrets are removed, long bodies are cut.",
      },
    })
    .get(
      "/integrations/:id/logs",
      ({ ctx, params, query }) => listIntegrationLogs(ctx, { ...query, integrationId: params.id }),
      {
        params: idParams,
        query: listQuery(filters),
        response: { 200: listOf(ApiLog), ...problems(404) },
        detail: {
          tags,
          summary: "Get API call logs",
          description: "Scope `logs:read`. Calls of one integration, newest first.",
        },
      },
    );
