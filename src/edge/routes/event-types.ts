import { Type } from "@sinclair/typebox";
import { Elysia, t } from "elysia";
import { EventType, EventTypeDetail, PutEventTypeInput } from "../../domain/events/event-type-schema.ts";
import { getEventType } from "../../domain/events/get-event-type.ts";
import { listEventTypes } from "../../domain/events/list-event-types.ts";
import { putEventType } from "../../domain/events/put-event-type.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";

const tags = ["Events"];

const typeParams = t.Object({ type: t.String({ minLength: 1, maxLength: 100 }) });

/** `/api/v1/event-types`: which events there are, and what their payloads look like. */
export const eventTypeRoutes = (runtime: Runtime) =>
  new Elysia({ name: "event-type-routes", prefix: "/api/v1/event-types", normalize: false })
    .use(authenticated(runtime))
    .get("/", ({ ctx, query }) => listEventTypes(ctx, query), {
      query: t.Object(
        { origin: t.Optional(t.Union([t.Literal("HUB"), t.Literal("PLATFORM"), t.Literal("TENANT")])) },
        { additionalProperties: false },
      ),
      response: { 200: Type.Object({ data: Type.Array(EventType) }), ...problems() },
      detail: {
        tags,
        summary: "List event types",
        description: "Scope `events:read`. Built-in types and the tenant's own, in the order of their names.",
      },
    })
    .get("/:type", ({ ctx, params }) => getEventType(ctx, params), {
      params: typeParams,
      response: { 200: EventTypeDetail, ...problems(404) },
      detail: {
        tags,
        summary: "Get an event type",
        description: "Scope `events:read`. With every version of its schema.",
      },
    })
    .put(
      "/:type",
      async ({ ctx, params, body, set }) => {
        const { eventType, isNew } = await putEventType(ctx, { type: params.type, changes: body });
        set.status = isNew ? 201 : 200;
        return eventType;
      },
      {
        params: typeParams,
        body: PutEventTypeInput,
        response: { 200: EventTypeDetail, 201: EventTypeDetail, ...problems(409) },
        detail: {
          tags,
          summary: "Describe an event type",
          description:
            "Scope `events:publish`. Another schema or sample makes the next version. Payloads that break their type's " +
            "schema are refused when they are published.",
        },
      },
    );
