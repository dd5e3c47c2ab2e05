import { Type } from "@sinclair/typebox";
import { Elysia, t } from "elysia";
import { shadowTransformation } from "../../domain/inbound/shadow-transformation.ts";
import { cloneTransformation } from "../../domain/transformations/clone-transformation.ts";
import { coverTransformation } from "../../domain/transformations/cover-transformation.ts";
import { createTransformation } from "../../domain/transformations/create-transformation.ts";
import { deleteTransformation } from "../../domain/transformations/delete-transformation.ts";
import { getTransformation } from "../../domain/transformations/get-transformation.ts";
import { getVersion } from "../../domain/transformations/get-version.ts";
import { listTests } from "../../domain/transformations/list-tests.ts";
import { listTransformations } from "../../domain/transformations/list-transformations.ts";
import { listUsers } from "../../domain/transformations/list-users.ts";
import { listVersions } from "../../domain/transformations/list-versions.ts";
import {
  CoverageInput,
  CoverageReport,
  Preview,
  PreviewInput,
  ShadowInput,
  ShadowReport,
  SuggestInput,
  Suggestion,
  ValidateInput,
  Validation,
} from "../../domain/transformations/preview-schema.ts";
import { previewTransformation } from "../../domain/transformations/preview-transformation.ts";
import { replaceTests } from "../../domain/transformations/replace-tests.ts";
import { resumeTransformation } from "../../domain/transformations/resume-transformation.ts";
import { rollBackTransformation } from "../../domain/transformations/roll-back-transformation.ts";
import { VERSION_MAX } from "../../domain/transformations/schema.ts";
import {
  CloneInput,
  CreateTransformationInput,
  DocumentFormat,
  ReplaceTestsInput,
  ResumeInput,
  RollBackInput,
  RunTestsInput,
  TemplateUsers,
  TestList,
  TestRun,
  Transformation,
  TransformationDetail,
  TransformationVersion,
  UpdateTransformationInput,
} from "../../domain/transformations/transformation-schema.ts";
import { suggestTransformation } from "../../domain/transformations/suggest-transformation.ts";
import { tryTests } from "../../domain/transformations/try-tests.ts";
import { updateTransformation } from "../../domain/transformations/update-transformation.ts";
import { validateTransformation } from "../../domain/transformations/validate-transformation.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { authenticated } from "../plugins/auth.ts";
import { TAKES_IDEMPOTENCY_KEY } from "../openapi.ts";
import { problems } from "../problems.ts";
import { idParams, listOf, listQuery } from "./list-query.ts";

const tags = ["Transformations"];

/** Rules and a document of 1 MiB, whose text grows by the escapes of JSON. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;

const versionParams = t.Object({
  id: t.String({ format: "uuid" }),
  version: t.Integer({ minimum: 1, maximum: VERSION_MAX }),
});

/** `/api/v1/transformations`: how one document becomes another. */
export const transformationRoutes = (runtime: Runtime) =>
  new Elysia({ name: "transformation-routes", prefix: "/api/v1/transformations", normalize: false })
    .use(templateRoutes(runtime))
    .use(versionRoutes(runtime))
    .use(trialRoutes(runtime));

const templateRoutes = (runtime: Runtime) =>
  new Elysia({ name: "transformation-template-routes", normalize: false })
    .use(authenticated(runtime, { bodyBytesMax: BODY_BYTES_MAX }))
    .get("/", ({ ctx, query }) => listTransformations(ctx, query), {
      query: listQuery({
        code: t.Optional(t.String({ minLength: 1, maxLength: 50 })),
        category: t.Optional(t.String({ minLength: 1, maxLength: 50 })),
        sourceFormat: t.Optional(DocumentFormat),
        targetFormat: t.Optional(DocumentFormat),
        isSystem: t.Optional(t.Boolean()),
        isActive: t.Optional(t.Boolean()),
      }),
      response: { 200: listOf(Transformation), ...problems() },
      detail: {
        tags,
        summary: "List templates",
        description: "Scope `transformations:read`. The tenant's own and the system's, newest first.",
      },
    })
    .post("/", ({ body, once }) => once(201, body, (ctx) => createTransformation(ctx, body)), {
      body: CreateTransformationInput,
      response: { 201: TransformationDetail, ...problems(409) },
      detail: {
        tags,
        summary: "Create a template",
        description:
          "Scope `transformations:write`. Every fault of the mapping is told at once by JSON pointer; its tests have to pass.",
      },
    })
    .get("/:id", ({ ctx, params }) => getTransformation(ctx, params), {
      params: idParams,
      response: { 200: TransformationDetail, ...problems(404) },
      detail: { tags, summary: "Get a template", description: "Scope `transformations:read`." },
    })
    .put("/:id", ({ ctx, params, body }) => updateTransformation(ctx, { id: params.id, changes: body }), {
      params: idParams,
      body: UpdateTransformationInput,
      response: { 200: TransformationDetail, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Change a template",
        description:
          "Scope `transformations:write`. Another mapping makes the next version, which all who follow the newest use at " +
          "once. With `version` the change is refused (409) when somebody made a newer one meanwhile.",
      },
    })
    .delete(
      "/:id",
      async ({ ctx, params, set }) => {
        await deleteTransformation(ctx, params);
        set.status = 204;
      },
      {
        params: idParams,
        response: { 204: Type.Void(), ...problems(404, 409) },
        detail: {
          tags,
          summary: "Delete a template",
          description:
            "Scope `transformations:write`. 409 `in_use` while somebody uses it; `errors` names each.",
        },
      },
    )
    .post(
      "/:id/clone",
      ({ body, params, once }) =>
        once(201, body, (ctx) => cloneTransformation(ctx, { ...body, id: params.id })),
      {
        params: idParams,
        body: CloneInput,
        response: { 201: TransformationDetail, ...problems(404, 409) },
        detail: {
          tags,
          summary: "Copy a template",
          description:
            "Scope `transformations:write`. A system template too, with its tests, to change the copy.",
        },
      },
    )
    .post("/:id/resume", ({ ctx, params, body }) => resumeTransformation(ctx, { ...body, id: params.id }), {
      params: idParams,
      body: Type.Optional(ResumeInput),
      response: { 200: TransformationDetail, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Resume a paused template",
        description: "Scope `transformations:write`. What waits for it goes on.",
      },
    })
    .get("/:id/users", ({ ctx, params }) => listUsers(ctx, params), {
      params: idParams,
      response: { 200: TemplateUsers, ...problems(404) },
      detail: {
        tags,
        summary: "Who uses a template",
        description: "Scope `transformations:read`. Endpoints, subscriptions, EDI partners, other templates.",
      },
    });

const versionRoutes = (runtime: Runtime) =>
  new Elysia({ name: "transformation-version-routes", normalize: false })
    .use(authenticated(runtime, { bodyBytesMax: BODY_BYTES_MAX }))
    .get("/:id/versions", ({ ctx, params, query }) => listVersions(ctx, { ...query, id: params.id }), {
      params: idParams,
      query: listQuery({}),
      response: { 200: listOf(TransformationVersion), ...problems(404) },
      detail: {
        tags,
        summary: "List a template's versions",
        description: "Scope `transformations:read`. Newest first; a version never changes.",
      },
    })
    .get("/:id/versions/:version", ({ ctx, params }) => getVersion(ctx, params), {
      params: versionParams,
      response: { 200: TransformationVersion, ...problems(404) },
      detail: { tags, summary: "Get a version", description: "Scope `transformations:read`." },
    })
    .post(
      "/:id/rollback",
      ({ body, params, once }) =>
        once(200, body, (ctx) => rollBackTransformation(ctx, { ...body, id: params.id })),
      {
        params: idParams,
        body: RollBackInput,
        response: { 200: TransformationDetail, ...problems(404, 409) },
        detail: {
          tags,
          ...TAKES_IDEMPOTENCY_KEY,
          summary: "Go back to an earlier version",
          description:
            "Scope `transformations:write`. Its content becomes the newest version, under the next number.",
        },
      },
    )
    .get("/:id/tests", ({ ctx, params }) => listTests(ctx, params), {
      params: idParams,
      response: { 200: TestList, ...problems(404) },
      detail: { tags, summary: "List a template's tests", description: "Scope `transformations:read`." },
    })
    .put("/:id/tests", ({ ctx, params, body }) => replaceTests(ctx, { ...body, id: params.id }), {
      params: idParams,
      body: ReplaceTestsInput,
      response: { 200: TestList, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Replace a template's tests",
        description: "Scope `transformations:write`. They have to pass with the newest version.",
      },
    })
    .post("/:id/tests/run", ({ ctx, params, body }) => tryTests(ctx, { ...body, id: params.id }), {
      params: idParams,
      body: Type.Optional(RunTestsInput),
      response: { 200: TestRun, ...problems(404) },
      detail: {
        tags,
        summary: "Run a template's tests",
        description: "Scope `transformations:write`. Against the newest version, or another one.",
      },
    });

const trialRoutes = (runtime: Runtime) =>
  new Elysia({ name: "transformation-trial-routes", normalize: false })
    .use(authenticated(runtime, { bodyBytesMax: BODY_BYTES_MAX }))
    .post("/preview", ({ ctx, body }) => previewTransformation(ctx, body), {
      body: PreviewInput,
      response: { 200: Preview, ...problems() },
      detail: {
        tags,
        summary: "Preview a transformation",
        description:
          "Scope `transformations:read`. The output, or the faults by JSON pointer, line or X12 position, with each rule's " +
          "values and time. A document that is refused answers 200 with `ok: false`.",
      },
    })
    .post("/validate", ({ ctx, body }) => validateTransformation(ctx, body), {
      body: ValidateInput,
      response: { 200: Validation, ...problems() },
      detail: {
        tags,
        summary: "Validate a mapping",
        description: "Scope `transformations:read`. Every fault at once, as a save would find them.",
      },
    })
    .post("/suggest", ({ ctx, body }) => suggestTransformation(ctx, body), {
      body: SuggestInput,
      response: { 200: Suggestion, ...problems() },
      detail: {
        tags,
        summary: "Suggest a mapping",
        description:
          "Scope `transformations:read`. A first mapping from two sample documents, by names, types and values.",
      },
    })
    .post("/coverage", ({ ctx, body }) => coverTransformation(ctx, body), {
      body: CoverageInput,
      response: { 200: CoverageReport, ...problems() },
      detail: {
        tags,
        summary: "What a mapping leaves out",
        description:
          "Scope `transformations:read`. Unused fields of the source, unmapped fields of the target.",
      },
    })
    .post("/:id/shadow", ({ ctx, params, body }) => shadowTransformation(ctx, { ...body, id: params.id }), {
      params: idParams,
      body: ShadowInput,
      response: { 200: ShadowReport, ...problems(404) },
      detail: {
        tags,
        summary: "Compare a new version on recent traffic",
        description:
          "Scopes `transformations:read` and `webhooks:read`. Recent documents of an endpoint or a subscription go through " +
          "the version that serves and the new one; nothing is sent.",
      },
    });
