import { getPointer } from "../../platform/json/pointer.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { valueOf } from "../providers/fill-template.ts";
import { renderRequest } from "../providers/request-template.ts";
import type { TokenOwner } from "./obtain-tokens.ts";
import { exchangeToken, TOKEN_TIMEOUT_MS } from "./token-exchange.ts";

/**
 * Asks the provider for what only a working credential tells, such as the organisation that it belongs to. A value that is
 * there already, by the log-in or by somebody's choice, stays.
 *
 * @param owner with the new tokens among its credentials
 * @returns the values found, or what went wrong
 */
export async function askDerived(
  runtime: Runtime,
  owner: TokenOwner,
): Promise<{ ok: true; derived: Record<string, string> } | { ok: false; message: string }> {
  const deadlineMs = performance.now() + TOKEN_TIMEOUT_MS;
  const derived: Record<string, string> = {};
  for (const { name, from, required } of owner.manifest.fields) {
    if (from === undefined || !("request" in from) || valueOf(owner.config, name) !== undefined) continue;
    const config = { ...owner.config, ...derived };
    const rendered = renderRequest(owner.manifest, from.request, { ...owner, config });
    // oxlint-disable-next-line no-await-in-loop -- a later one may need an earlier one
    const { outcome, conclude } = await exchangeToken(runtime, owner, rendered, {
      deadlineMs,
      mayStart: () => true,
    });
    if ("kind" in outcome) {
      conclude(outcome);
      return { ok: false, message: `"${name}" could not be asked for: ${outcome.code}` };
    }
    const { status, document } = outcome;
    const value = getPointer(document, from.pointer);
    const isThere = typeof value === "string" || typeof value === "number";
    const message = `The account has no "${name}" (answer ${status})`;
    conclude(isThere || !required ? undefined : { kind: "refused", code: `status_${status}`, message });
    if (isThere) derived[name] = String(value);
    else if (required) return { ok: false, message };
  }
  return { ok: true, derived };
}
