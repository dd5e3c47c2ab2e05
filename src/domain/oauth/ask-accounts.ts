import type { Runtime } from "../../platform/runtime.ts";
import { withDefaults } from "../providers/choose-auth.ts";
import { valueOf } from "../providers/fill-template.ts";
import type { InputField } from "../providers/manifest-schema.ts";
import { type FieldOption, readOptions } from "../providers/read-options.ts";
import { renderRequest } from "../providers/request-template.ts";
import type { TokenOwner } from "./obtain-tokens.ts";
import { exchangeToken, TOKEN_TIMEOUT_MS } from "./token-exchange.ts";

/** Accounts of which somebody has to choose one. */
export interface AccountChoice {
  /** Field of the integration that takes the value. */
  field: string;
  label: string;
  options: FieldOption[];
}

/** What a log-in reaches: values where there was only one, and the first field that asks for a choice. */
export type ReachedAccounts =
  | { ok: true; derived: Record<string, string>; choice: AccountChoice | undefined }
  | { ok: false; message: string };

/**
 * Asks the provider which accounts a log-in reaches, for each field that offers a list and has no value. One account is
 * taken; several are left to a person, because the first one of a list is anybody's.
 *
 * @param owner with the new tokens among its credentials
 */
export async function askAccounts(runtime: Runtime, owner: TokenOwner): Promise<ReachedAccounts> {
  const deadlineMs = performance.now() + TOKEN_TIMEOUT_MS;
  const derived: Record<string, string> = {};
  for (const field of owner.manifest.fields) {
    const known = { ...owner, config: { ...owner.config, ...derived } };
    if (field.options === undefined || !isAsked(known, field)) continue;
    // oxlint-disable-next-line no-await-in-loop -- a later one may need an earlier one
    const found = await ask(runtime, known, field, deadlineMs);
    if (!found.ok) return found;
    const { options } = found;
    if (options.length > 1)
      return { ok: true, derived, choice: { field: field.name, label: field.label, options } };
    const [only] = options;
    if (only !== undefined) derived[field.name] = only.value;
    else if (field.required || field.visibleWhen !== undefined)
      return { ok: false, message: `The log-in reaches no account ("${field.label}")` };
  }
  return { ok: true, derived, choice: undefined };
}

function isAsked({ manifest, config }: TokenOwner, { name, kind, visibleWhen }: InputField): boolean {
  const values = withDefaults(manifest, config);
  if ((kind !== "connection" && kind !== "derived") || valueOf(values, name) !== undefined) return false;
  return visibleWhen === undefined || visibleWhen.equals.includes(valueOf(values, visibleWhen.field) ?? "");
}

async function ask(
  runtime: Runtime,
  owner: TokenOwner,
  field: InputField,
  deadlineMs: number,
): Promise<{ ok: true; options: FieldOption[] } | { ok: false; message: string }> {
  const rendered = renderRequest(owner.manifest, field.options!.request, owner);
  const { outcome, conclude } = await exchangeToken(runtime, owner, rendered, {
    deadlineMs,
    mayStart: () => true,
  });
  if ("kind" in outcome) {
    conclude(outcome);
    return { ok: false, message: `The accounts could not be asked for: ${outcome.code}` };
  }
  const { status, document } = outcome;
  const options = status < 300 ? readOptions(field.options!, document) : undefined;
  const message = `The provider answered ${status} and no list of accounts`;
  conclude(options === undefined ? { kind: "refused", code: `status_${status}`, message } : undefined);
  return options === undefined ? { ok: false, message } : { ok: true, options };
}
