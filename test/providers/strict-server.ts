import { createHash } from "node:crypto";
import type { ProviderManifest, Server } from "../../src/domain/providers/manifest-schema.ts";
import { REQUEST_ROWS, type RequestRow } from "./request-rows.ts";

/** What every HTTP request has besides. */
const TRANSPORT = new Set(["host", "content-length", "user-agent", "connection", "accept-encoding"]);

/** A request as it came. */
export interface CameIn {
  method: string;
  /** With the host that the hub meant, which is the first segment of the path. */
  url: string;
  headers: Headers;
  body: string;
}

/** What is different from a row of the table; undefined when nothing is. */
export function differenceOf(row: RequestRow, came: CameIn): string | undefined {
  const wanted = new Map(Object.entries(row.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const got = new Map([...came.headers].filter(([name]) => !TRANSPORT.has(name) || wanted.has(name)));
  const parts = [
    [came.method, row.method],
    [came.url, row.url],
    [JSON.stringify([...got].toSorted()), JSON.stringify([...wanted].toSorted())],
    [sorted(came.body), sorted(row.body ?? "")],
  ] as const;
  return parts.find(([is, should]) => is !== should)?.join(" instead of ");
}

/** JSON with its members in one order, which Postgres does not keep; any other text as it is. */
function sorted(body: string): string {
  if (!body.startsWith("{")) return body;
  return JSON.stringify(JSON.parse(body), (_name, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : value,
  );
}

/** All providers in one: takes the requests of the table, for the provider that is on, and refuses everything else. */
export interface StrictServer {
  url: string;
  /** Code of the provider that is on. */
  on: string;
  /** Rows that came, and what was refused with its reason. */
  taken: RequestRow[];
  refused: string[];
  stop(): Promise<void>;
}

const VERIFIER = /code_verifier=([\w~.-]{43,128})/;
/** Log-in pages that are refused without these (the providers' documents). */
const LOG_IN_HEADERS: Readonly<Record<string, Record<string, string>>> = {
  "123LOADBOARD": { "123lb-api-version": "1.3", "user-agent": "acme-tms/1.0 (api@acme.example)" },
};
const CALLBACK = "https://hub.example.com/oauth/callback";

/** Starts it. It plays the log-in pages too: who opens one has consented, and a PKCE verifier has to fit its challenge. */
export function startStrictServer(manifestOf: (code: string) => ProviderManifest): StrictServer {
  let challenge = "";
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search, searchParams } = new URL(request.url);
      const came = {
        method: request.method,
        url: `https:/${pathname}${search}`,
        headers: request.headers,
        body: await request.text(),
      };
      const auth = manifestOf(strict.on).auth;
      if (pathname === "/consent") return Response.redirect(searchParams.get("to")!, 302);
      if (auth.type === "OAUTH2_CODE" && came.url.startsWith(`${authorizeUrlOf(manifestOf(strict.on))}?`)) {
        challenge = searchParams.get("code_challenge") ?? "";
        const wanted = Object.entries(LOG_IN_HEADERS[strict.on] ?? {});
        const isAsked = wanted.every(([name, value]) => came.headers.get(name) === value);
        return isAsked
          ? redirectOf(strict.on, strict.url, searchParams)
          : new Response("refused", { status: 418 });
      }
      if (strict.on === "XERO" && came.method === "GET" && came.url === "https://api.xero.com/connections") {
        const isBearer = came.headers.get("authorization") === "Bearer access-token";
        const one = { id: "c", tenantId: "45e4708e-d862-4111-ab3a-dd8cd03913e1", tenantName: "Acme" };
        return Response.json(isBearer ? [one] : [], { status: isBearer ? 200 : 401 });
      }
      // The verifier is random: it has to fit, and then it is the one of the table.
      const [, verifier] = VERIFIER.exec(came.body) ?? [];
      if (verifier !== undefined && createHash("sha256").update(verifier).digest("base64url") === challenge)
        came.body = came.body.replace(verifier, "verifier");
      const own = REQUEST_ROWS.filter(({ code }) => code === strict.on);
      const row = own.find((candidate) => differenceOf(candidate, came) === undefined);
      if (row === undefined) {
        const nearest = own.find(({ method, url }) => method === came.method && url === came.url);
        strict.refused.push(
          `${came.method} ${came.url}: ${nearest === undefined ? "no row" : differenceOf(nearest, came)}`,
        );
        return new Response("refused", { status: 418 });
      }
      strict.taken.push(row);
      return Response.json(answerTo(row, manifestOf(strict.on), strict.url));
    },
  });
  const strict: StrictServer = {
    url: `http://127.0.0.1:${server.port}`,
    on: "",
    taken: [],
    refused: [],
    stop: () => server.stop(true),
  };
  return strict;
}

function authorizeUrlOf({ servers }: ProviderManifest): string {
  return servers[0]!.urls!["authorize"]!;
}

function redirectOf(code: string, url: string, asked: URLSearchParams): Response {
  if (asked.get("redirect_uri") !== CALLBACK || asked.get("client_id") !== "client-id")
    return new Response("refused", { status: 418 });
  const target = new URL(CALLBACK);
  target.searchParams.set("code", "the+code");
  target.searchParams.set("state", asked.get("state") ?? "");
  if (code === "QUICKBOOKS") target.searchParams.set("realmId", "9130355377388383");
  if (code === "ZOHO") target.searchParams.set("accounts-server", `${url}/accounts.zoho.com`);
  return Response.redirect(`${url}/consent?to=${encodeURIComponent(target.href)}`, 302);
}

/** What the provider says to a request that it takes: as much of it as its manifest reads. */
function answerTo(row: RequestRow, { verify }: ProviderManifest, url: string): unknown {
  if (row.what === "verify")
    return Object.assign({}, ...(verify.expect.present ?? []).map((pointer) => documentWith(pointer)));
  if ("step" in row.what)
    return {
      accessToken: row.what.step === 0 ? "org-token" : "access-token",
      expiresWhen: "2031-01-01T00:00:00Z",
    };
  return {
    access_token: "access-token",
    refresh_token: "refresh-token",
    expires_in: 3_600,
    hub_id: 62_515,
    instance_url: `${url}/acme.my.salesforce.com`,
    api_domain: `${url}/www.zohoapis.com`,
  };
}

function documentWith(pointer: string): unknown {
  return pointer
    .slice(1)
    .split("/")
    .toReversed()
    .reduce<unknown>((value, token) => ({ [token]: value }), "there");
}

/** The manifest with its servers moved to one on loopback, each host as the first segment of its path; nothing else. */
export function onLoopback(manifest: ProviderManifest, url: string): ProviderManifest {
  const moved = (text: string): string => text.replace("https://", `${url}/`);
  const entries = (given: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(given).map(([name, text]) => [name, moved(text)]));
  const servers = manifest.servers
    .filter(({ environment }) => environment === "PRODUCTION")
    .map(({ sharedHosts: _shared, ...server }): Server => ({
      ...server,
      baseUrl: moved(server.baseUrl),
      ...(server.urls === undefined ? {} : { urls: entries(server.urls) }),
      ...(server.defaults === undefined ? {} : { defaults: entries(server.defaults) }),
      allowedHosts: ["127.0.0.1"],
    }));
  return { ...manifest, servers };
}
