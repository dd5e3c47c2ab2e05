import { parseCidr } from "../../platform/net/address.ts";
import { type Context, type Transaction } from "../context.ts";
import { type FieldError, invalidInput } from "../errors.ts";
import { Value } from "@sinclair/typebox/value";
import { checkTemplate } from "../transformations/check-template.ts";
import { TransformTemplate } from "../transformations/schema.ts";
import { openSecret } from "../vault/open-secret.ts";
import type { EndpointRow, EndpointValues } from "./endpoint-store.ts";
import { checkScheme, checkSecret, isKnownToOthers } from "./schemes/check-scheme.ts";
import { findScheme, schemeNames } from "./schemes/registry.ts";
import { ruleOf, type Scheme } from "./schemes/scheme.ts";
import { isSecretPlace } from "./secret-names.ts";

type Checked = Pick<
  EndpointValues,
  | "signatureScheme"
  | "signatureHeader"
  | "signatureAlgorithm"
  | "signatureSettings"
  | "ipWhitelist"
  | "pathGenerated"
  | "transformTemplate"
  | "handlerType"
  | "eventIdSource"
  | "eventTypeSource"
>;

/**
 * Judges an endpoint as it is to be stored, so that what is saved also works: scheme and its settings, secret,
 * addresses, transformation. Every fault is reported at once.
 *
 * @param secret the secret given with the endpoint; undefined when one is to be made or the stored one stays
 * @param stored the row that is being changed: its secret must suit the scheme too
 * @throws HubError 422 `invalid_input`
 */
export async function checkEndpoint(
  ctx: Context,
  endpoint: Checked,
  secret: string | undefined,
  stored?: { tx: Transaction; row: EndpointRow },
): Promise<void> {
  const errors: FieldError[] = [...addressFaults(endpoint.ipWhitelist)];
  const scheme = findScheme(endpoint.signatureScheme);
  if (!scheme) {
    errors.push({ path: "/signatureScheme", message: `must be one of ${schemeNames.join(", ")}` });
  } else {
    const faults = checkScheme(scheme, endpoint);
    errors.push(...faults);
    if (faults.length === 0) {
      const rule = ruleOf(scheme, endpoint);
      errors.push(...sourceFaults(scheme, endpoint));
      if (scheme.needsGeneratedPath === true) errors.push(...pathFaults(endpoint, scheme.title));
      if (rule.kind === "none") errors.push(...unprovenFaults(endpoint));
      else if (secret !== undefined) errors.push(...checkSecret(rule, secret));
      else if (stored !== undefined) errors.push(...(await storedSecretFaults(ctx, stored, rule)));
    }
  }
  // On the caller's connection, if it holds one: waiting for another would let several callers wait for each other.
  const joined = stored === undefined ? ctx : { ...ctx, outer: { tx: stored.tx, effects: [] } };
  errors.push(...(await templateFaults(joined, endpoint)));
  if (errors.length > 0) throw invalidInput(errors);
}

function addressFaults(list: readonly string[] | null): FieldError[] {
  return (list ?? []).flatMap((entry, index) =>
    parseCidr(entry)
      ? []
      : [{ path: `/ipWhitelist/${index}`, message: `"${entry}" is no IP address or CIDR range` }],
  );
}

function sourceFaults(scheme: Scheme, endpoint: Checked): FieldError[] {
  return (["eventIdSource", "eventTypeSource"] as const).flatMap((field) => {
    const source = endpoint[field];
    if (source === null || !isSecretPlace(scheme, endpoint, source)) return [];
    return [
      { path: `/${field}`, message: "names the place of a secret or signature, which is never stored" },
    ];
  });
}

async function templateFaults(
  ctx: Context,
  { transformTemplate: template, handlerType }: Checked,
): Promise<FieldError[]> {
  if (template === null) return [];
  if (!Value.Check(TransformTemplate, template)) {
    return [
      {
        path: "/transformTemplate",
        message: 'must be { "engine": "jsonata", "expression" } or { "template", "version"? }',
      },
    ];
  }
  const because = `the handler ${handlerType}`;
  return checkTemplate(
    ctx,
    template,
    handlerType === "CUSTOM" ? {} : { targetFormat: { format: "JSON", because } },
  );
}

/** Nothing proves the sender, so the address list and a path that nobody guesses have to. */
function unprovenFaults(endpoint: Checked): FieldError[] {
  const errors: FieldError[] = [];
  if ((endpoint.ipWhitelist ?? []).length === 0) {
    errors.push({ path: "/ipWhitelist", message: "is needed with a scheme that has no secret" });
  }
  if (!endpoint.pathGenerated) {
    errors.push({
      path: "/endpointPath",
      message: "must be left out (and so generated) with a scheme that has no secret",
    });
  }
  return errors;
}

function pathFaults(endpoint: Checked, title: string): FieldError[] {
  if (endpoint.pathGenerated) return [];
  return [{ path: "/endpointPath", message: `must be left out (and so generated) for ${title}` }];
}

async function storedSecretFaults(
  ctx: Context,
  stored: { tx: Transaction; row: EndpointRow },
  rule: Parameters<typeof checkSecret>[0],
): Promise<FieldError[]> {
  const place = {
    tenantId: ctx.tenantId,
    table: "webhook_endpoints",
    rowId: stored.row.id,
    column: "secret_key",
  };
  const former = ruleOf(findScheme(stored.row.signatureScheme)!, stored.row);
  // What is stored may be from a scheme before it, whose secret others know.
  if (former.kind === "none" && rule.kind !== "none")
    return [{ path: "/secretKey", message: "is needed: the scheme none has no secret" }];
  const secret = await openSecret(ctx.runtime, stored.tx, place, stored.row.secretKey);
  if (isKnownToOthers(former, secret) !== isKnownToOthers(rule, secret)) {
    const message = isKnownToOthers(former, secret)
      ? "is needed: others know the stored one, which is a public key or a name"
      : "is needed: the stored one is shared with the sender and is no public key";
    return [{ path: "/secretKey", message }];
  }
  return checkSecret(rule, secret).map((fault) => ({
    path: "/signatureScheme",
    message: `the stored secret does not suit it: ${fault.message}; rotate the secret first`,
  }));
}
