import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { verifyIntegration } from "../../domain/gateway/verify-integration.ts";
import { Integration } from "../../domain/integrations/schema.ts";
import { authorizeIntegration } from "../../domain/oauth/authorize-integration.ts";
import { chooseAccount } from "../../domain/oauth/choose-account.ts";
import { finishLogin, type FinishedLogin } from "../../domain/oauth/finish-login.ts";
import type { AccountChoice } from "../../domain/oauth/ask-accounts.ts";
import { type LoginRefusal, openLogin } from "../../domain/oauth/open-login.ts";
import { refreshIntegration } from "../../domain/oauth/refresh-integration.ts";
import { Authorization, AuthorizeInput } from "../../domain/oauth/schema.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { loginCookie, readLoginCookie } from "../login-cookie.ts";
import { type OAuthPage, oauthPagePolicy, renderOAuthPage } from "../oauth-page.ts";
import { readBody } from "../ingress/read-body.ts";
import { authenticated, sourceIpOf } from "../plugins/auth.ts";
import { problems, publicProblems } from "../problems.ts";
import { idParams } from "./list-query.ts";

const tags = ["Integrations"];

/** `/api/v1/integrations/:id/{authorize,refresh-oauth}`: what an operator does about a log-in. */
export const oauthRoutes = (runtime: Runtime) =>
  new Elysia({ name: "oauth-routes", prefix: "/api/v1/integrations", normalize: false })
    .use(authenticated(runtime))
    .post(
      "/:id/authorize",
      ({ ctx, params, body }) => authorizeIntegration(ctx, { id: params.id, ...body }),
      {
        params: idParams,
        body: Type.Optional(AuthorizeInput),
        response: { 200: Authorization, ...problems(404, 409) },
        detail: {
          tags,
          summary: "Begin a log-in with the provider",
          description:
            "Scope `integrations:write`. Open `url` in a browser within ten minutes; it works once, and only the browser " +
            "that opened it can finish. 409 `not_oauth` for providers without a log-in of persons.",
        },
      },
    )
    .post("/:id/refresh-oauth", ({ ctx, params }) => refreshIntegration(ctx, params), {
      params: idParams,
      response: { 200: Integration, ...problems(404, 409) },
      detail: {
        tags,
        summary: "Refresh OAuth tokens",
        description:
          "Scope `integrations:write`. 409 `not_oauth` without tokens, 409 `reauthorization_required` when somebody has to log " +
          "in, 503 `token_unavailable` when the provider gives none now.",
      },
    });

const Html = Type.String({
  contentMediaType: "text/html",
  description: "A page for the person who logs in.",
});
const pages = { 400: Html, 403: Html, 410: Html, 502: Html } as const;

/** `/oauth/…`: what the browser of the person who logs in opens. */
export const oauthPageRoutes = (runtime: Runtime) => {
  const isHttps = runtime.config.publicUrl.startsWith("https:");
  const cookieOf = (request: Request) => (sessionId: string) =>
    readLoginCookie(request.headers.get("cookie"), sessionId, isHttps);
  return new Elysia({ name: "oauth-page-routes", normalize: false })
    .get(
      "/oauth/start/:ticket",
      async ({ params, request, set }) => {
        if (!isOpenedByPerson(request)) return show(set, 200, PREVIEW);
        const opened = await openLogin(runtime, {
          ticket: params.ticket,
          requestId: String(set.headers["x-request-id"]),
          cookieOf: cookieOf(request),
        });
        if (!opened.ok) return refuse(set, opened);
        const { sessionId, browserSecret, location, expiresAt } = opened;
        const maxAgeSeconds = Math.ceil((expiresAt.getTime() - runtime.clock.nowMs()) / 1_000);
        set.headers["set-cookie"] = loginCookie(sessionId, { value: browserSecret, maxAgeSeconds }, isHttps);
        set.headers["location"] = location;
        return show(set, 302, { title: "Going on to the log-in", paragraphs: [] });
      },
      {
        response: { 200: Html, 302: Html, ...pages, ...publicProblems() },
        detail: {
          tags,
          summary: "Open a log-in",
          description: "For browsers: goes on to the provider's log-in.",
        },
      },
    )
    .get(
      "/oauth/callback",
      async ({ request, server, set }) => {
        if (!isOpenedByPerson(request)) return show(set, 200, PREVIEW);
        const finished = await finishLogin(runtime, {
          query: new URL(request.url).searchParams,
          requestId: String(set.headers["x-request-id"]),
          sourceIp: sourceIpOf(runtime, request, server?.requestIP(request)?.address),
          cookieOf: cookieOf(request),
        });
        return showFinished(runtime, set, finished);
      },
      {
        response: { 200: Html, ...pages, ...publicProblems() },
        detail: {
          tags,
          summary: "Finish a log-in",
          description:
            "For browsers: where the provider sends them back to. Registered with every provider's app.",
        },
      },
    )
    .post(
      "/oauth/account",
      async ({ request, server, set }) => {
        const form = await readForm(request);
        const finished = await chooseAccount(runtime, {
          sessionId: form.get("session") ?? "",
          value: form.get("account") ?? "",
          requestId: String(set.headers["x-request-id"]),
          sourceIp: sourceIpOf(runtime, request, server?.requestIP(request)?.address),
          cookieOf: cookieOf(request),
        });
        return showFinished(runtime, set, finished);
      },
      ACCOUNT_ROUTE,
    );
};

const ACCOUNT_ROUTE = {
  parse: "none",
  response: { 200: Html, ...pages, ...publicProblems() },
  detail: {
    tags,
    summary: "Choose an account",
    description: "For browsers: after a log-in that reaches several accounts.",
  },
} as const;

const FORM_BYTES_MAX = 16 * 1_024;

/** A form that this service showed; anything else is an empty one, which leads nowhere. */
async function readForm(request: Request): Promise<URLSearchParams> {
  const declared = request.headers.get("content-length");
  const body = await readBody(request, declared === null ? undefined : Number(declared), FORM_BYTES_MAX);
  return new URLSearchParams(typeof body === "string" ? "" : Buffer.from(body).toString());
}

/** Mail programs and chats look at links by themselves, and browsers ahead of time: that must not use a ticket up. */
function isOpenedByPerson(request: Request): boolean {
  const purpose = `${request.headers.get("sec-purpose") ?? ""} ${request.headers.get("purpose") ?? ""}`;
  return request.method !== "HEAD" && !/prefetch|preview/i.test(purpose);
}

const PREVIEW: OAuthPage = { title: "Log-in", paragraphs: ["Open this address in a browser to log in."] };

/** What the person is told, and the status for programs. */
const REFUSALS: Readonly<Record<LoginRefusal, OAuthPage & { status: 400 | 403 | 410 | 502 }>> = {
  unknown: {
    status: 400,
    title: "This log-in is not known",
    paragraphs: ["The address is incomplete or was not made by this service. Please ask for a new one."],
  },
  expired: {
    status: 410,
    title: "This log-in has expired",
    paragraphs: ["It had to be finished within ten minutes. Please ask for a new address and try again."],
  },
  used: {
    status: 410,
    title: "This log-in was used already",
    paragraphs: ["An address works once. Please ask for a new one to log in again."],
  },
  wrong_browser: {
    status: 403,
    title: "This log-in began in another browser",
    paragraphs: [
      "It can only be finished in the browser in which it was opened, with cookies allowed. Nothing was connected.",
      "If you did not open it yourself, somebody may have sent you their own log-in: close this page.",
    ],
  },
  denied: {
    status: 403,
    title: "Access was not granted",
    paragraphs: ["The provider was told not to give access. Nothing was connected."],
  },
  failed: {
    status: 502,
    title: "The connection could not be made",
    paragraphs: [
      "The log-in came back, but the connection does not work. Please pass this on to your operator:",
    ],
  },
};

type Settings = { status?: number | string; headers: Record<string, string | number | string[] | undefined> };

function refuse(set: Settings, { refusal, detail }: { refusal: LoginRefusal; detail?: string }): string {
  const { status, title, paragraphs } = REFUSALS[refusal];
  return show(set, status, {
    title,
    paragraphs: detail === undefined ? paragraphs : [...paragraphs, detail],
  });
}

function show(set: Settings, status: number, page: OAuthPage): string {
  set.status = status;
  set.headers["content-type"] = "text/html; charset=utf-8";
  set.headers["content-security-policy"] = oauthPagePolicy(page);
  return renderOAuthPage(page);
}

/** Where a log-in has led to: done with its cookie, or one choice before. */
async function showFinished(runtime: Runtime, set: Settings, finished: FinishedLogin): Promise<string> {
  if (!finished.ok) return refuse(set, finished);
  const { sessionId, choice } = finished;
  if (choice !== undefined) return show(set, 200, pageOfChoice(finished, choice));
  const isHttps = runtime.config.publicUrl.startsWith("https:");
  set.headers["set-cookie"] = loginCookie(sessionId, { value: null, maxAgeSeconds: 0 }, isHttps);
  return show(set, 200, await pageOfSuccess(runtime, finished));
}

function pageOfChoice(
  { sessionId, integrationName, providerName }: Extract<FinishedLogin, { ok: true }>,
  { label, options }: AccountChoice,
): OAuthPage {
  return {
    title: `${label}: which one?`,
    paragraphs: [
      `Your log-in with ${providerName} reaches several. ${integrationName} will use the one you choose.`,
    ],
    choice: { action: "/oauth/account", hidden: { session: sessionId }, name: "account", options },
  };
}

/** Tries the new connection, so that the person sees with which account it was made. */
async function pageOfSuccess(
  runtime: Runtime,
  { ctx, integrationId, integrationName, providerName }: Extract<FinishedLogin, { ok: true }>,
): Promise<OAuthPage> {
  const connected = `${integrationName} is connected with ${providerName}. You can close this page.`;
  const title = "Connected";
  try {
    const { test } = await verifyIntegration(ctx, { id: integrationId });
    if (!test.passed)
      return {
        title: "Logged in, but the connection test failed",
        paragraphs: [
          `${integrationName} has access to ${providerName}, but a first call did not succeed.`,
          `${test.code}: ${test.message}`,
        ],
      };
    const account = test.accountName === null ? [] : [`Account: ${test.accountName}`];
    return { title, paragraphs: [connected, ...account] };
  } catch (error) {
    runtime.log.warn({ err: error, integrationId }, "new connection not tried");
    return { title, paragraphs: [connected] };
  }
}
