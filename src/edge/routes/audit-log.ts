import { Elysia, t } from "elysia";
import { listAuditLog } from "../../domain/audit/list-audit-log.ts";
import { AuditRecord } from "../../domain/audit/schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { listOf, listQuery } from "./list-query.ts";

const filter = (description: string) => t.Optional(t.String({ minLength: 1, maxLength: 200, description }));

/** `/api/v1/audit-log`: who changed what. */
export const auditLogRoutes = (runtime: Runtime) =>
  new Elysia({ name: "audit-log-routes", prefix: "/api/v1/audit-log", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listAuditLog(ctx, query), {
      query: listQuery({
        verb: filter("For example `webhook_endpoint.create`."),
        objectType: filter("For example `webhook_endpoint`."),
        objectId: filter("Id of the object that was changed."),
        actorId: filter("Id of the key or user that did it."),
      }),
      response: { 200: listOf(AuditRecord), ...problems() },
      detail: {
        tags: ["Audit"],
        summary: "List the audit log",
        description: "Scope `logs:read`. Newest first.",
      },
    });
