import { Elysia, t } from "elysia";
import { Type } from "@sinclair/typebox";
import { deleteDeadLetter } from "../../domain/dead-letters/delete-dead-letter.ts";
import { getDeadLetter } from "../../domain/dead-letters/get-dead-letter.ts";
import { listDeadLetters } from "../../domain/dead-letters/list-dead-letters.ts";
import { mendDeadLetter } from "../../domain/dead-letters/mend-dead-letter.ts";
import { replayDeadLetter } from "../../domain/dead-letters/replay-dead-letter.ts";
import { replayDeadLetters } from "../../domain/dead-letters/replay-dead-letters.ts";
import {
  DeadLetter,
  DeadLetterDetail,
  DeadLetterFilter,
  DeadLetterStatus,
  DeadLetterTopic,
  MendDeadLetterInput,
  ReplayedDeadLetters,
} from "../../domain/dead-letters/schema.ts";
import { BODY_BYTES_MAX } from "../../domain/inbound/endpoint-schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Dead letters"];

/** Every body that an endpoint takes can be mended: 25 MiB in base64, and what stands around it. */
const MENDING_BYTES_MAX = Math.ceil(BODY_BYTES_MAX / 3) * 4 + 4096;

/** `/api/v1/dead-letters`: what could not be processed and waits for a person. */
export const deadLetterRoutes = (runtime: Runtime) =>
  new Elysia({ name: "dead-letter-routes", prefix: "/api/v1/dead-letters", normalize: false })
    .use(authenticated(runtime, { bodyBytesMax: MENDING_BYTES_MAX }))
    .get("/", ({ ctx, query }) => listDeadLetters(ctx, query), {
      query: listQuery({
        ...DeadLetterFilter.properties,
        topic: t.Optional(DeadLetterTopic),
        status: t.Optional(DeadLetterStatus),
      }),
      response: { 200: listOf(DeadLetter), ...problems() },
      detail: { tags, summary: "List dead letters", description: "Scope `webhooks:read`. Newest first." },
    })
    .get("/:id", ({ ctx, params }) => getDeadLetter(ctx, params), {
      params: idParams,
      response: { 200: DeadLetterDetail, ...problems(404) },
      detail: {
        tags,
        summary: "Get a dead letter",
        description: "Scope `webhooks:read`. With the body as received and the mended one.",
      },
    })
    .put("/:id", ({ ctx, params, body }) => mendDeadLetter(ctx, { id: params.id, mended: body }), {
      params: idParams,
      body: MendDeadLetterInput,
      response: { 200: DeadLetter, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Mend the body of a dead letter",
        description: "Scope `webhooks:write`. A replay processes the mended body; the original stays.",
      },
    })
    .post(
      "/:id/replay",
      async ({ ctx, params, set }) => {
        const deadLetter = await replayDeadLetter(ctx, params);
        set.status = 202;
        return deadLetter;
      },
      {
        params: idParams,
        response: { 202: DeadLetter, ...problems(404, 409) },
        detail: { tags, summary: "Process a dead letter again", description: "Scope `webhooks:write`." },
      },
    )
    .post(
      "/replay",
      async ({ ctx, body, set }) => {
        const replayed = await replayDeadLetters(ctx, body);
        set.status = 202;
        return replayed;
      },
      {
        body: Type.Object({ filter: DeadLetterFilter }, { additionalProperties: false }),
        response: { 202: ReplayedDeadLetters, ...problems() },
        detail: {
          tags,
          summary: "Process many dead letters again",
          description:
            "Scope `webhooks:write`. All open ones that match the filter, up to 10,000 in one call; an empty filter means all.",
        },
      },
    )
    .delete(
      "/:id",
      async ({ ctx, params, set }) => {
        await deleteDeadLetter(ctx, params);
        set.status = 204;
      },
      {
        params: idParams,
        response: { 204: Type.Void(), ...problems(404, 409) },
        detail: {
          tags,
          summary: "Give a dead letter up",
          description: "Scope `webhooks:write`. Its receipt becomes CANCELLED.",
        },
      },
    );
