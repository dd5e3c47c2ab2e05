import { HubError } from "../errors.ts";

/** The answer to whoever would change a system template. */
export function systemTemplate(code: string): HubError {
  return new HubError("conflict", `${code} is a system template, which nobody changes; clone it.`);
}
