import type { Runtime } from "../../platform/runtime.ts";
import { createRedactor, type Redactor } from "../api-logs/redact.ts";
import { REDACTED } from "../api-logs/secret-names.ts";
import { type ErrorCode, ERRORS, HubError } from "../errors.ts";
import type { Credentials, LoadedIntegration } from "../integrations/loaded-integration.ts";
import { applyAuth, type AuthAdditions } from "../providers/apply-auth.ts";
import type { Auth } from "../providers/auth-schema.ts";
import { withDefaults } from "../providers/choose-auth.ts";
import { TemplateError, type Values } from "../providers/fill-template.ts";
import type { ProviderManifest } from "../providers/manifest-schema.ts";
import { redactedNames } from "../providers/redacted-names.ts";
import { defaultsOf } from "../providers/request-template.ts";
import { resolveServer } from "../providers/resolve-server.ts";
import { compileQuotas, type LimitsOf } from "./call-quotas.ts";

/** What calls of one integration have in common, compiled once for each version of it. */
export interface Upstream {
  baseUrl: string;
  fallbackBaseUrl: string | undefined;
  limitsOf: LimitsOf;
  /** Open fields with the manifest's defaults. */
  config: Values;
}

/** What one set of credentials adds to every call. */
export interface Proof {
  additions: AuthAdditions;
  /** Headers and parameters that every call of the provider has. */
  defaults: { headers: Record<string, string>; query: Record<string, string> };
  redactor: Redactor;
  /** Takes the credential out of a text, and nothing else. */
  hide(text: string): string;
  /** The same for bytes, whatever they are. */
  hideIn(bytes: Uint8Array): Uint8Array;
}

const upstreams = new WeakMap<LoadedIntegration, Upstream>();
const proofs = new WeakMap<Credentials, { integration: LoadedIntegration; proof: Proof }>();

/**
 * Where calls of an integration go, and under which limits.
 *
 * @throws HubError 422 `no_sandbox` or `invalid_input` when its configuration names no server
 */
export function upstreamOf(runtime: Runtime, integration: LoadedIntegration): Upstream {
  const known = upstreams.get(integration);
  if (known !== undefined) return known;
  const { manifest, environment, config } = integration;
  const server = resolveServer(manifest, { environment, config });
  if (!server.ok) {
    const code: ErrorCode = Object.hasOwn(ERRORS, server.code) ? (server.code as ErrorCode) : "invalid_input";
    throw new HubError(code, server.message);
  }
  const upstream: Upstream = {
    baseUrl: server.baseUrl,
    fallbackBaseUrl: server.fallbackBaseUrl,
    limitsOf: compileQuotas(runtime.config, manifest.quotas),
    config: withDefaults(manifest, config),
  };
  upstreams.set(integration, upstream);
  return upstream;
}

/**
 * How calls prove who makes them, and what of it no log may hold.
 *
 * @throws HubError 422 `invalid_input` when a field that the log-in needs has no value
 */
export function proofOf(integration: LoadedIntegration, credentials: Credentials, config: Values): Proof {
  const known = proofs.get(credentials);
  if (known?.integration === integration) return known.proof;
  const proof = makeProof(integration, credentials, config);
  proofs.set(credentials, { integration, proof });
  return proof;
}

function makeProof({ manifest, auth }: LoadedIntegration, credentials: Credentials, config: Values): Proof {
  const values = { ...config, ...credentials };
  try {
    const additions = applyAuth(manifest, auth, values);
    const secrets = [...new Set([...Object.values(credentials), ...additions.secrets])].filter(Boolean);
    const shown = secrets.flatMap((secret) => [secret, encodeURIComponent(secret.toWellFormed())]);
    return {
      additions,
      defaults: defaultsOf(manifest, values),
      redactor: createRedactor({ secrets, names: secretNames(manifest, auth) }),
      hide: (text) => hidden(text, shown),
      hideIn: (bytes) => {
        // One character a byte turns back into the same bytes.
        const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
        const rest = hidden(
          text,
          shown.map((secret) => Buffer.from(secret).toString("latin1")),
        );
        return rest === text ? bytes : Buffer.from(rest, "latin1");
      },
    };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new HubError("invalid_input", error.message, {
      errors: [{ path: `/config/${error.field}`, message: error.message }],
    });
  }
}

function hidden(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, REDACTED), text);
}

/** Names under which secrets stand: of the log-in, and what the manifest says no log may hold. */
function secretNames(manifest: ProviderManifest, auth: Auth): string[] {
  return [...("place" in auth ? auth.place.map(({ name }) => name) : []), ...redactedNames(manifest)];
}
