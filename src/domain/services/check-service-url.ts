import { BlockList, isIP } from "node:net";

/**
 * Addresses that no service has: link-local (a cloud's metadata service hands out the machine's credentials there),
 * multicast and the unspecified address. Services are internal, so private ranges are allowed.
 */
const NEVER = new BlockList();
NEVER.addSubnet("169.254.0.0", 16, "ipv4");
NEVER.addSubnet("224.0.0.0", 4, "ipv4");
NEVER.addSubnet("0.0.0.0", 8, "ipv4");
NEVER.addSubnet("fe80::", 10, "ipv6");
NEVER.addSubnet("ff00::", 8, "ipv6");
NEVER.addAddress("fd00:ec2::254", "ipv6");
NEVER.addAddress("::", "ipv6");

/**
 * Judges the address of an HTTP service.
 *
 * @returns the address in canonical form, or what is wrong with it
 */
export function checkServiceUrl(text: string): { url: string } | { problem: string } {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { problem: "must be an absolute URL" };
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    return { problem: "must start with http:// or https://" };
  if (url.username !== "" || url.password !== "")
    return { problem: "must not contain a user name or password" };
  if (url.hash !== "") return { problem: "must not contain a fragment" };
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const version = isIP(host);
  if (version !== 0 && NEVER.check(host, version === 4 ? "ipv4" : "ipv6")) {
    return { problem: "must not be a link-local, multicast or unspecified address" };
  }
  return { url: url.href };
}
