/**
 * The spellings in which a sender may have signed an address. An apostrophe may stand in a query as it is (RFC 3986
 * section 3.4), but the server hands it over as `%27` (URL standard, "special-query percent-encode set"), so that which
 * of the two was sent cannot be known.
 *
 * @returns the address as received first
 */
export function urlSpellings(url: string): string[] {
  return url.includes("%27") ? [url, url.replaceAll("%27", "'")] : [url];
}
