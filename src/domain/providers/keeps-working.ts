import { isDeepStrictEqual } from "node:util";
import { chooseAuth, withDefaults } from "./choose-auth.ts";
import { type Values, valueOf } from "./fill-template.ts";
import type { ProviderManifest } from "./manifest-schema.ts";
import { serversOf } from "./resolve-server.ts";
import type { UserRow } from "./store.ts";

/**
 * Whether an integration that was set up by one manifest works by another one: everything that the other one asks for is
 * there, its environment still exists, and it proves itself in the same way, so that tokens that were got go on being
 * good.
 */
export function keepsWorking(
  before: ProviderManifest,
  after: ProviderManifest,
  user: Pick<UserRow, "environment" | "config">,
): boolean {
  if (serversOf(after, user.environment).length === 0) return false;
  const config = withDefaults(after, openValues(user.config));
  const missing = after.fields.some((field) => {
    if (!field.required || field.default !== undefined) return false;
    if (field.kind === "derived" || field.kind === "one-time") {
      // Found in a log-in that is over: what was not asked for then is not there now.
      return field.kind === "derived" && !before.fields.some(({ name }) => name === field.name);
    }
    if (field.visibleWhen !== undefined) {
      const shown = valueOf(config, field.visibleWhen.field);
      if (shown === undefined || !field.visibleWhen.equals.includes(shown)) return false;
    }
    return user.config[field.name] === undefined || user.config[field.name] === null;
  });
  if (missing) return false;
  const [old, next] = [
    chooseAuth(before, openValues(user.config)),
    chooseAuth(after, openValues(user.config)),
  ];
  return old.type === next.type && isDeepStrictEqual(scopesOf(old), scopesOf(next));
}

function scopesOf(auth: ReturnType<typeof chooseAuth>): readonly string[] {
  return "scopes" in auth ? auth.scopes.default : [];
}

/** The open fields: a sealed one is an object. */
function openValues(config: Readonly<Record<string, unknown>>): Values {
  return Object.fromEntries(
    Object.entries(config).filter(([, value]) => typeof value !== "object" || value === null),
  ) as Values;
}
