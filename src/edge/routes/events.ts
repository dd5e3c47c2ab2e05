import { Type } from "@sinclair/typebox";
import { Elysia, t } from "elysia";
import { getEvent } from "../../domain/events/get-event.ts";
import { listEvents } from "../../domain/events/list-events.ts";
import { publishEvents } from "../../domain/events/publish-events.ts";
import {
  Event,
  EventDetail,
  PUBLISH_BYTES_MAX,
  PublishAnswer,
  PublishInput,
} from "../../domain/events/schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { openEventStream } from "../event-stream.ts";
import { eventServicesOf } from "../event-services.ts";
import { authenticated } from "../plugins/auth.ts";
import { TAKES_IDEMPOTENCY_KEY } from "../openapi.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Events"];

const GET_DESCRIPTION =
  "Scope `events:read`. With its data and what became of it at each subscription. It is stored with its fan-out, moments " +
  "after its 202: until then 404.";

const TypeQuery = t.Optional(
  t.String({ minLength: 1, maxLength: 100, description: "An event type, or its beginning before `*`." }),
);
const time = (description: string) => t.Optional(t.String({ minLength: 1, maxLength: 40, description }));

/** What a publisher may say beside the body. */
const headersOf = ({ headers }: Request) => ({
  traceparent: headers.get("traceparent") ?? undefined,
  idempotencyKey: headers.get("idempotency-key") ?? undefined,
});

const StreamHeaders = t.Object({
  "last-event-id": t.Optional(
    t.String({ description: "`id` of the last message that was read: the stream goes on behind it." }),
  ),
});

/** `/api/v1/events`: what the platform publishes. Its traffic is bounded by capacity, not by API_RATE_LIMIT. */
export const eventRoutes = (runtime: Runtime) => {
  const { publishing, liveFeed } = eventServicesOf(runtime);
  return new Elysia({ name: "event-routes", prefix: "/api/v1/events", normalize: false })
    .use(authenticated(runtime, { bodyBytesMax: PUBLISH_BYTES_MAX, exactNumbers: true, isCounted: false }))
    .post(
      "/",
      ({ body, once, request }) =>
        once(202, body, (ctx) => publishEvents(ctx, { body, deps: publishing, ...headersOf(request) })),
      {
        body: PublishInput,
        response: { 202: PublishAnswer, ...problems(413) },
        detail: {
          tags,
          ...TAKES_IDEMPOTENCY_KEY,
          summary: "Publish events",
          description:
            "Scope `events:publish`. One event or a batch of up to 1,000, at most 8 MiB. 202: every event is on disk. " +
            "A repetition under the same ids delivers nothing twice; 503 asks for one.",
        },
      },
    )
    .get("/", ({ ctx, query }) => listEvents(ctx, query), {
      query: listQuery({
        type: TypeQuery,
        source: t.Optional(t.Union([t.Literal("API"), t.Literal("HUB")])),
        orderingKey: t.Optional(t.String({ minLength: 1, maxLength: 200 })),
        externalId: t.Optional(t.String({ minLength: 1, maxLength: 200 })),
        from: time("RFC 3339, included; the time of acceptance."),
        to: time("RFC 3339, not included."),
      }),
      response: { 200: listOf(Event), ...problems() },
      detail: {
        tags,
        summary: "List events",
        description: "Scope `events:read`. Newest first by acceptance.",
      },
    })
    .get(
      "/stream",
      ({ ctx, query, headers, request: { method } }) =>
        openEventStream(ctx, {
          liveFeed,
          type: query.type,
          lastEventId: headers["last-event-id"] ?? null,
          headersOnly: method === "HEAD",
        }),
      {
        query: t.Object({ type: TypeQuery }, { additionalProperties: false }),
        headers: StreamHeaders,
        response: { 200: Type.String({ contentMediaType: "text/event-stream" }), ...problems() },
        detail: {
          tags,
          summary: "Follow events",
          description:
            "Scope `events:read`. Server-sent events (text/event-stream): each message is an event with its data. " +
            "With `Last-Event-ID` it goes on from there. A reader that is too slow is let go, and every stream ends " +
            "after 15 minutes; clients come back by themselves.",
        },
      },
    )
    .get("/:id", ({ ctx, params }) => getEvent(ctx, params), {
      params: idParams,
      response: { 200: EventDetail, ...problems(404) },
      detail: {
        tags,
        summary: "Get an event",
        description: GET_DESCRIPTION,
      },
    });
};
