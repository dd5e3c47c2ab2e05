import { AddressPolicy } from "../../platform/egress/address-policy.ts";

/** Services are internal, so private ranges and plain http are allowed; the allow-list plays no part. */
const policy = new AddressPolicy({ allowCidrs: [], allowHttp: true });

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
  if ("code" in policy.checkUrl(text, "internal")) {
    return { problem: "must not be a link-local, multicast, metadata or unspecified address" };
  }
  return { url: url.href };
}
