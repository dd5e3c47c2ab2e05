import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Reads an address; an IPv4 address mapped into IPv6 (`::ffff:1.2.3.4`) counts as IPv4. */
function parseAddress(text: string): Address | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

/**
 * Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32` or a mapped form such as `::ffff:192.0.2.0/120`.
 *
 * @returns undefined when the text is none of them
 */
export function parseCidr(text: string): [Address, number] | undefined {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  // `1`, `0x7f.1` and other short forms are valid to the parser, but on a list they are typing errors.
  if (!host.includes(":") && !ipaddr.IPv4.isValidFourPartDecimal(host)) return undefined;
  // A zone names an interface of one machine.
  if (!ipaddr.isValid(host) || host.includes("%")) return undefined;
  const parsed = ipaddr.parse(host);
  const widthMax = parsed.kind() === "ipv4" ? 32 : 128;
  const bits = slash < 0 ? widthMax : Number(text.slice(slash + 1));
  if (slash >= 0 && !/^(?:0|[1-9]\d{0,2})$/.test(text.slice(slash + 1))) return undefined;
  if (bits > widthMax) return undefined;
  const address = ipaddr.process(host);
  if (address.kind() === parsed.kind()) return [parsed, bits];
  return bits >= 96 ? [address, bits - 96] : undefined;
}

/**
 * Compiles a list of addresses and CIDR ranges.
 *
 * @returns a test for an address in text form; what is no address is on no list
 * @throws RangeError for an entry that is no range: a list that silently lacks an entry would refuse or admit the wrong ones
 */
export function compileAddressList(entries: readonly string[]): (address: string) => boolean {
  const ranges = entries.map((entry) => {
    const range = parseCidr(entry);
    if (!range) throw new RangeError(`Cannot read the address range "${entry}"`);
    return range;
  });
  return (text) => {
    const address = parseAddress(text);
    return (
      address !== undefined &&
      ranges.some(([net, bits]) => net.kind() === address.kind() && address.match(net, bits))
    );
  };
}

/** Entries of X-Forwarded-For that are looked at: a longer list is a forgery or a loop. */
const FORWARDED_MAX = 20;

/**
 * The sender's address: the socket's, unless that is a trusted proxy; then the right-most entry of X-Forwarded-For
 * that is no trusted proxy. Entries further left were written by the sender and prove nothing.
 *
 * @param isTrusted compiled TRUSTED_PROXIES
 */
export function senderAddress(
  socketAddress: string,
  forwardedFor: string | null,
  isTrusted: (address: string) => boolean,
): string {
  const own = canonicalAddress(socketAddress);
  if (forwardedFor === null || !isTrusted(own)) return own;
  const hops = forwardedFor.split(",").slice(-FORWARDED_MAX);
  let nearest = own;
  for (const hop of hops.reverse()) {
    const address = parseAddress(hop.trim());
    if (!address) return nearest;
    nearest = address.toString();
    if (!isTrusted(nearest)) return nearest;
  }
  return nearest;
}

/** Mapped IPv4 as IPv4, IPv6 in its shortest form; what is no address stays as it is. */
export function canonicalAddress(text: string): string {
  if (!text.includes(":")) return text;
  return parseAddress(text)?.toString() ?? text;
}
