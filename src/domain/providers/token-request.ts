import type {
  Auth,
  OAuth2ClientCredentialsAuth,
  OAuth2CodeAuth,
  OAuth2PasswordAuth,
  TokenEndpoint,
} from "./auth-schema.ts";
import { fillTemplate, TemplateError, type Values, valueOf } from "./fill-template.ts";
import type { ProviderManifest } from "./manifest-schema.ts";
import type { RequestTemplate } from "./request-schema.ts";
import { type RenderInput, type RenderOutcome, renderRequest } from "./request-template.ts";

type OAuth2Auth = OAuth2CodeAuth | OAuth2ClientCredentialsAuth | OAuth2PasswordAuth;

/** What a token is asked for with (RFC 6749). */
export type Grant =
  | { type: "authorization_code"; code: string; redirectUri: string; codeVerifier?: string | undefined }
  | { type: "refresh_token"; refreshToken: string }
  | { type: "client_credentials" }
  | { type: "password" };

/**
 * Makes the request to a token endpoint. The app's id and secret are the fields `clientId` and `clientSecret`.
 *
 * @param input `credentials` holds the app's secret, and what the manifest's parameters ask for
 */
export function tokenRequest(
  manifest: ProviderManifest,
  auth: OAuth2Auth,
  grant: Grant,
  input: Omit<RenderInput, "auth">,
): RenderOutcome {
  const values = { ...input.config, ...input.credentials };
  try {
    const fields = { ...grantFields(auth, grant, values), ...extraFields(auth.token, values) };
    const proof = clientProof(auth.token.clientAuth, values);
    const outcome = renderRequest(
      manifest,
      {
        method: "POST",
        server: auth.token.server,
        path: "",
        headers: { Accept: "application/json", ...auth.token.headers, ...placeholdersFor(proof.headers) },
        ...(auth.token.query === undefined ? {} : { query: auth.token.query }),
        body: bodyOf(auth.token, { ...fields, ...proof.fields }),
      },
      {
        ...input,
        credentials: { ...input.credentials, ...valuesOf({ ...fields, ...proof.fields }, proof.headers) },
      },
    );
    if (!outcome.ok) return outcome;
    return {
      ...outcome,
      secrets: [...new Set([...outcome.secrets, ...proof.secrets, ...grantSecrets(grant)])],
    };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { ok: false, code: error.code, field: error.field, message: error.message };
  }
}

/**
 * Makes a request that ends a token (RFC 7009) or asks about it (RFC 7662).
 *
 * @param input `credentials` holds the token as `token`, and the app's secret
 */
export function tokenCallRequest(
  manifest: ProviderManifest,
  call: NonNullable<OAuth2CodeAuth["revoke"]>,
  input: Omit<RenderInput, "auth">,
): RenderOutcome {
  try {
    const proof = clientProof(call.clientAuth, { ...input.config, ...input.credentials });
    const { body, headers, ...rest } = call.request;
    const fields = Object.fromEntries(
      Object.keys(proof.fields).map((name, index) => [name, `{${numbered(FIELD_PREFIX, index)}}`]),
    );
    const outcome = renderRequest(
      manifest,
      {
        ...rest,
        headers: { ...headers, ...placeholdersFor(proof.headers) },
        ...(body === undefined ? {} : { body: withFields(body, fields) }),
      },
      { ...input, credentials: { ...input.credentials, ...valuesOf(proof.fields, proof.headers) } },
    );
    return outcome.ok
      ? { ...outcome, secrets: [...new Set([...outcome.secrets, ...proof.secrets])] }
      : outcome;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { ok: false, code: error.code, field: error.field, message: error.message };
  }
}

function withFields(
  body: NonNullable<RequestTemplate["body"]>,
  fields: Readonly<Record<string, string>>,
): NonNullable<RequestTemplate["body"]> {
  if (body.type === "form") return { ...body, fields: { ...body.fields, ...fields } };
  if (body.type === "json") return { ...body, value: { ...(body.value as object), ...fields } };
  return body;
}

/** One step of a log-in that is no OAuth; `credentials` holds what the earlier steps captured. */
export function tokenStepRequest(
  manifest: ProviderManifest,
  auth: Extract<Auth, { type: "TOKEN_REQUEST" }>,
  step: number,
  input: Omit<RenderInput, "auth">,
): RenderOutcome {
  return renderRequest(manifest, auth.steps[step]!.request, input);
}

/*
 * Names of form fields are no names of placeholders, so each finished value is handed on under a name of its own: a
 * value that looks like a placeholder stays what it is.
 */
const FIELD_PREFIX = "field";
const HEADER_PREFIX = "header";
const numbered = (prefix: string, index: number): string => `${prefix}${index}`;

function bodyOf(token: TokenEndpoint, fields: Readonly<Record<string, string>>) {
  const templates = Object.fromEntries(
    Object.keys(fields).map((name, index) => [name, `{${numbered(FIELD_PREFIX, index)}}`]),
  );
  return token.bodyFormat === "json"
    ? ({ type: "json", value: templates } as const)
    : ({ type: "form", fields: templates } as const);
}

function placeholdersFor(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.keys(headers).map((name, index) => [name, `{${numbered(HEADER_PREFIX, index)}}`]),
  );
}

function valuesOf(
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>>,
): Values {
  return Object.fromEntries([
    ...Object.values(fields).map((value, index) => [numbered(FIELD_PREFIX, index), value]),
    ...Object.values(headers).map((value, index) => [numbered(HEADER_PREFIX, index), value]),
  ]);
}

function grantFields(auth: OAuth2Auth, grant: Grant, values: Values): Record<string, string> {
  const scope = auth.scopes.default.join(auth.scopes.separator ?? " ");
  switch (grant.type) {
    case "authorization_code":
      return {
        grant_type: grant.type,
        code: grant.code,
        redirect_uri: grant.redirectUri,
        ...(grant.codeVerifier === undefined ? {} : { code_verifier: grant.codeVerifier }),
      };
    case "refresh_token":
      return { grant_type: grant.type, refresh_token: grant.refreshToken };
    case "client_credentials":
      return { grant_type: grant.type, ...(scope === "" ? {} : { scope }) };
    case "password":
      if (auth.type !== "OAUTH2_PASSWORD")
        throw new TemplateError("value_invalid", "", "This log-in takes no user name and password");
      return {
        grant_type: grant.type,
        username: fillTemplate(auth.username, values),
        password: fillTemplate(auth.password, values),
        ...(scope === "" ? {} : { scope }),
      };
  }
}

function extraFields(token: TokenEndpoint, values: Values): Record<string, string> {
  return Object.fromEntries(
    Object.entries(token.params ?? {})
      .map(([name, text]) => [name, fillTemplate(text, values)] as const)
      .filter(([, value]) => value !== ""),
  );
}

function grantSecrets(grant: Grant): string[] {
  if (grant.type === "authorization_code")
    return [grant.code, ...(grant.codeVerifier ? [grant.codeVerifier] : [])];
  return grant.type === "refresh_token" ? [grant.refreshToken] : [];
}

interface ClientProof {
  headers: Record<string, string>;
  fields: Record<string, string>;
  secrets: string[];
}

/** RFC 6749 section 2.3.1: for Basic, id and secret are form-encoded before they are joined. */
export function clientProof(method: TokenEndpoint["clientAuth"], values: Values): ClientProof {
  const needed = (field: string): string => {
    const value = valueOf(values, field);
    if (value === undefined)
      throw new TemplateError("missing_value", field, `The field "${field}" has no value`);
    return value;
  };
  const clientId = needed("clientId");
  if (method === "none") return { headers: {}, fields: { client_id: clientId }, secrets: [] };
  const secret = needed("clientSecret");
  if (method === "body") {
    return { headers: {}, fields: { client_id: clientId, client_secret: secret }, secrets: [secret] };
  }
  const encoded = Buffer.from(`${formEncoded(clientId)}:${formEncoded(secret)}`).toString("base64");
  return { headers: { Authorization: `Basic ${encoded}` }, fields: {}, secrets: [secret, encoded] };
}

function formEncoded(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}
