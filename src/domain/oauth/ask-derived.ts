import { getPointer } from "../../platform/json/pointer.ts";
import type { Runtime } from "../../platform/runtime.ts";
import { valueOf } from "../providers/fill-template.ts";
import { renderRequest } from "../providers/request-template.ts";
import { send, TOKEN_TIMEOUT_MS, type TokenOwner } from "./obtain-tokens.ts";

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
    const answer = await send(runtime, owner, rendered, { deadlineMs, mayStart: () => true });
    if ("kind" in answer) return { ok: false, message: `"${name}" could not be asked for: ${answer.code}` };
    const value = getPointer(answer.document, from.pointer);
    if (typeof value === "string" || typeof value === "number") derived[name] = String(value);
    else if (required)
      return { ok: false, message: `The account has no "${name}" (answer ${answer.status})` };
  }
  return { ok: true, derived };
}
