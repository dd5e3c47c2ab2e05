import type { Context } from "../../context.ts";
import { type CachedEndpoint, compileEndpoint } from "../compile-endpoint.ts";
import { fetchSigningCertificate } from "../schemes/signing-certificates.ts";
import { senderOf } from "../../../platform/egress/runtime-sender.ts";
import { findScheme } from "../schemes/registry.ts";
import { SchemeConfigurationError, type SignedRequest } from "../schemes/scheme.ts";
import { explainRefusal } from "./explain/explain-refusal.ts";
import type { LoadedRejection } from "./load-rejection.ts";
import { outcomeCause } from "./outcome-causes.ts";
import type { RawRequest } from "./refused-request.ts";
import type { RejectionCause } from "./rejection-cause.ts";

/** What a sample is found to be under the endpoint's present secrets, at the time of its receipt. */
export interface Judgement {
  /** Null when it cannot be judged: no endpoint, or no whole body. */
  valid: boolean | null;
  causes: RejectionCause[];
  /** The endpoint as it is now; set when `valid` is true. */
  endpoint?: CachedEndpoint;
  /** A provider's question whether somebody listens: no event that could be put through. */
  isChallenge?: boolean;
}

/** Verifies a sample again and explains what it finds. The time of signing is judged at the time of receipt. */
export async function judgeRejection(ctx: Context, loaded: LoadedRejection): Promise<Judgement> {
  const { row, raw, endpoint: endpointRow, secrets } = loaded;
  const refusedFor = outcomeCause(row.cause);
  const reasons = refusedFor === undefined ? [] : [refusedFor];
  if (endpointRow === undefined) {
    return { valid: null, causes: row.endpointId === null ? reasons : [...reasons, ENDPOINT_DELETED] };
  }
  if (row.bodyState !== "complete") return { valid: null, causes: [...reasons, bodyCause(row.bodyState)] };
  let endpoint: CachedEndpoint;
  try {
    endpoint = await compileEndpoint(ctx.runtime, endpointRow);
  } catch (error) {
    if (!(error instanceof SchemeConfigurationError)) throw error;
    return { valid: false, causes: [unusableSecret(error)] };
  }
  const { publicUrl } = ctx.runtime.config;
  const request = signedRequest(raw, publicUrl);
  let inspection = endpoint.inspect(request);
  if (inspection.kind === "certificate_unknown") {
    const { certificateUrl } = inspection;
    await fetchSigningCertificate(senderOf(ctx.runtime), certificateUrl, request.nowMs);
    inspection = endpoint.inspect(request);
    if (inspection.kind === "certificate_unknown") return { valid: null, causes: [CERTIFICATE_UNKNOWN] };
  }
  if (inspection.kind !== "refused") {
    return { valid: true, causes: reasons, endpoint, isChallenge: inspection.kind !== "event" };
  }
  const causes = await explainRefusal(
    {
      scheme: findScheme(endpointRow.signatureScheme)!,
      settings: endpoint.recipe.settings,
      secrets,
      request,
      publicUrl,
      target: raw.target,
    },
    inspection.cause,
  );
  const isExplained = row.code === "signature_invalid" || causes.some(({ code }) => code === row.cause);
  return { valid: false, causes: isExplained ? causes : [...reasons, ...causes] };
}

/** The sealed request in the form that verifiers read. */
function signedRequest(raw: RawRequest, publicUrl: string): SignedRequest {
  const query = raw.target.indexOf("?");
  return {
    method: raw.method,
    publicUrl: () => publicUrl + raw.target,
    headers: new Headers(raw.headers),
    query: query < 0 ? "" : raw.target.slice(query + 1),
    rawBody: Buffer.from(raw.body ?? "", "base64"),
    nowMs: raw.receivedAtMs,
  };
}

const CERTIFICATE_UNKNOWN: RejectionCause = {
  code: "certificate_unknown",
  message: "The certificate that the provider signed with could not be fetched.",
  action: "Let the hub reach the provider (EGRESS settings, firewall), then verify again.",
};

const ENDPOINT_DELETED: RejectionCause = {
  code: "endpoint_deleted",
  message: "The endpoint was deleted since.",
  action: "Create it anew and have the sender send again.",
};

function bodyCause(state: "truncated" | "not_read" | "not_kept"): RejectionCause {
  const MESSAGES = {
    truncated: "The body is longer than the 256 KiB that a sample keeps, so it cannot be verified again.",
    not_read: "The request was refused before its body was read, so it cannot be verified again.",
    not_kept: "LOG_REQUEST_BODIES=false: the body was not kept, so it cannot be verified again.",
  };
  return {
    code: `body_${state}`,
    message: MESSAGES[state],
    action: "Mend the cause and have the sender send again.",
  };
}

function unusableSecret(error: SchemeConfigurationError): RejectionCause {
  return {
    code: "secret_unusable",
    message: `The endpoint cannot verify anything: ${error.message}.`,
    action: "Set `secretKey` to a secret in the form of the scheme.",
  };
}
