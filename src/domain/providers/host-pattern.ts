/**
 * Whether a host is one that a pattern means. `*.` stands for exactly one label, as in certificates (RFC 9525 section
 * 6.3): `*.my.example.com` does not mean a host below `sandbox.my.example.com`.
 *
 * @param host as `URL` writes it; a final dot plays no part
 */
export function matchesHost(pattern: string, host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  const wanted = pattern.toLowerCase();
  if (!wanted.startsWith("*.")) return name === wanted;
  const dot = name.indexOf(".");
  return dot > 0 && name.slice(dot + 1) === wanted.slice(2);
}

/** Whether some host is meant by both patterns. */
export function overlapHosts(one: string, other: string): boolean {
  if (one.startsWith("*.") && other.startsWith("*.")) return one.toLowerCase() === other.toLowerCase();
  return one.startsWith("*.") ? matchesHost(one, other) : matchesHost(other, one);
}
