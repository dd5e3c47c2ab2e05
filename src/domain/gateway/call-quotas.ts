import type { Config } from "../../platform/config.ts";
import type { Quota as ManifestQuota } from "../providers/manifest-schema.ts";
import { type Quota, quotasOrDefault } from "../rate-limit/admission-call.ts";

/** What one call takes of the provider's limits. */
export interface CallLimits {
  quotas: readonly Quota[];
  concurrency?: number;
  sharedConcurrency?: number;
}

/** Finds the limits that a method and path (below the base, without query) meet. */
export type LimitsOf = (method: string, path: string) => CallLimits;

interface Weighed {
  quota: ManifestQuota;
  covers: (call: string) => boolean;
  weights: { covers: (call: string) => boolean; weight: number }[];
}

/** Compiles a manifest's quotas. Without any the hub's own limit holds (DEFAULT_RATE_LIMIT). */
export function compileQuotas(
  config: Pick<Config, "defaultRateLimit" | "rateLimitWindowSeconds">,
  declared: readonly ManifestQuota[],
): LimitsOf {
  const all: Weighed[] = declared.map((quota) => ({
    quota,
    covers: coversAny(quota.paths),
    weights: (quota.weights ?? []).map(({ path, weight }) => ({ covers: coversAny([path]), weight })),
  }));
  const isSame = all.every(({ quota }) => quota.paths === undefined && quota.weights === undefined);
  const fixed = isSame ? limitsFor(config, metBy(all, "")) : undefined;
  // The same ones for all calls that meet the same quotas with the same weights: they are known again by their identity.
  const known = new Map<string, CallLimits>();
  return (method, path) => {
    if (fixed !== undefined) return fixed;
    const met = metBy(all, `${method} ${path}`);
    const name = met.map(({ quota, weight }) => `${quota.name} ${weight}`).join();
    let limits = known.get(name);
    if (limits === undefined) known.set(name, (limits = limitsFor(config, met)));
    return limits;
  };
}

/** All limits of a manifest at once, whatever calls they are for. */
export function everyLimit(
  config: Pick<Config, "defaultRateLimit" | "rateLimitWindowSeconds">,
  declared: readonly ManifestQuota[],
): CallLimits {
  return limitsFor(
    config,
    declared.map((quota) => ({ quota, weight: 1 })),
  );
}

/** A quota that a call meets. */
interface Met {
  quota: ManifestQuota;
  weight: number;
}

function metBy(all: readonly Weighed[], call: string): Met[] {
  return all
    .filter(({ covers }) => covers(call))
    .map(({ quota, weights }) => ({
      quota,
      weight: weights.find(({ covers }) => covers(call))?.weight ?? 1,
    }));
}

function limitsFor(
  config: Pick<Config, "defaultRateLimit" | "rateLimitWindowSeconds">,
  met: readonly Met[],
): CallLimits {
  const rates = met
    .filter(({ quota }) => quota.windowSeconds !== undefined)
    .map(({ quota, weight }) => ({
      name: quota.name,
      limit: quota.limit,
      windowMs: quota.windowSeconds! * 1_000,
      weight,
      scope: quota.scope,
    }));
  const atOnce = (isShared: boolean): number =>
    Math.min(
      ...met
        .filter(({ quota }) => quota.windowSeconds === undefined)
        .filter(({ quota }) => (quota.scope === "provider") === isShared)
        .map(({ quota }) => quota.limit),
    );
  const [concurrency, sharedConcurrency] = [atOnce(false), atOnce(true)];
  return {
    quotas: quotasOrDefault(config, rates),
    ...(Number.isFinite(concurrency) ? { concurrency } : {}),
    ...(Number.isFinite(sharedConcurrency) ? { sharedConcurrency } : {}),
  };
}

/** `*` stands for one segment, `**` at the end for the rest; a pattern without a method covers all of them. */
function coversAny(patterns: readonly string[] | undefined): (call: string) => boolean {
  if (patterns === undefined) return () => true;
  const compiled = patterns.map((pattern) => {
    const source = pattern
      .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
      .replace(/\*\*$/, "\0")
      .replaceAll("*", "[^/]+")
      .replace("\0", ".*");
    return new RegExp(`^${pattern.startsWith("/") ? "[A-Z]+ " : ""}${source}/?$`);
  });
  return (call) => compiled.some((pattern) => pattern.test(call));
}
