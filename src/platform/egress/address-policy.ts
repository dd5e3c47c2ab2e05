import ipaddr from "ipaddr.js";
import type { Config } from "../config.ts";
import { compileAddressList } from "../net/address.ts";

/**
 * Whose address a target is. `public`: somebody outside chose it, so only public addresses are reached, and those of
 * EGRESS_ALLOW_CIDRS. `internal`: an operator registered it, so private ones are reached too.
 */
export type EgressPolicy = "public" | "internal";

/** Why an address is not called. The text is for the address's owner and names no result of a look-up. */
export interface Refusal {
  code:
    | "url_invalid"
    | "url_scheme"
    | "url_user_info"
    | "url_port"
    | "url_host"
    | "address_not_public"
    | "address_never";
  message: string;
}

/** An address that may be called as far as its text goes; every address it resolves to is judged by `judge`. */
export interface Target {
  url: URL;
  /** Host without brackets and final dot. */
  host: string;
  /** 4 or 6 when the host is an address itself, else 0. */
  family: 0 | 4 | 6;
  port: number;
  tls: boolean;
  /** What speaks against it, unless all its addresses stand in EGRESS_ALLOW_CIDRS. */
  unlessAllowed: Refusal | undefined;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Never called, whatever the allow-list says, because no receiver lives there and a cloud hands out its machines'
 * credentials: link-local (169.254.169.254 of most clouds, 169.254.170.2 of ECS), the metadata addresses outside of it
 * (AWS and GCP over IPv6, Alibaba, Oracle, Azure's wire server), "this network", multicast and broadcast.
 */
const isNever = compileAddressList([
  "0.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "255.255.255.255",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "::/128",
  "fe80::/10",
  "ff00::/8",
  "fd00:ec2::/32",
  "fd20:ce::254",
]);

/** Global unicast (RFC 4291 section 2.4, IANA): what else ipaddr.js calls unicast has not been assigned to anybody. */
const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR("2000::/3");

/** Names of one machine or one network (RFC 6761, 6762, 8375, and `internal` of ICANN resolution 2024.07.29.06). */
const LOCAL_NAME = /^[^.]+$|\.(?:local|localhost|localdomain|internal|intranet|lan|home|corp|home\.arpa)$/;

/** Ports below 1024 belong to services that are no receivers (SSH, mail, …). */
const LOW_PORTS: ReadonlySet<number> = new Set([80, 443]);
const URL_LENGTH_MAX = 2048;

export class AddressPolicy {
  readonly #isAllowed: (address: string) => boolean;
  readonly #hasAllowList: boolean;
  readonly #allowHttp: boolean;

  /** @throws RangeError for a range that cannot be read */
  constructor(options: { allowCidrs: readonly string[]; allowHttp: boolean }) {
    this.#isAllowed = compileAddressList(options.allowCidrs);
    this.#hasAllowList = options.allowCidrs.length > 0;
    this.#allowHttp = options.allowHttp;
  }

  /**
   * Judges the text of an address, without looking anything up.
   *
   * @returns the target, or why it is refused whatever it resolves to
   */
  checkUrl(text: string, policy: EgressPolicy = "public"): Target | Refusal {
    const target = parseTarget(text);
    if ("code" in target) return target;
    if (policy === "public") {
      target.unlessAllowed = this.#objection(target);
      if (target.unlessAllowed !== undefined && !this.#hasAllowList) return target.unlessAllowed;
    }
    const refusal = target.family === 0 ? undefined : this.judge(target, [target.host], policy);
    if (refusal) return refusal;
    return target;
  }

  /**
   * Judges what a target resolves to: one address that is not allowed refuses all, because the next connection might
   * go to that one.
   */
  judge(target: Target, addresses: readonly string[], policy: EgressPolicy): Refusal | undefined {
    for (const text of addresses) {
      const refusal = this.#judgeOne(target, text, policy);
      if (refusal) return refusal;
    }
    return undefined;
  }

  #judgeOne(target: Target, text: string, policy: EgressPolicy): Refusal | undefined {
    const address = ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
    if (address === undefined) return { code: "address_never", message: "The host resolves to no address" };
    const forms = everyForm(address);
    if (forms.some((form) => isNever(form.toString()))) {
      return { code: "address_never", message: "The address is link-local, a metadata service or no host" };
    }
    if (policy === "internal") return undefined;
    const isListed = (form: Address): boolean => this.#isAllowed(form.toString());
    const [own, ...embedded] = forms;
    if (isListed(own!) && embedded.every((form) => isListed(form) || isPublic(form))) return undefined;
    if (target.unlessAllowed) return target.unlessAllowed;
    return isPublic(address)
      ? undefined
      : { code: "address_not_public", message: "The host has an address that is not public" };
  }

  #objection(target: Target): Refusal | undefined {
    if (!target.tls && !this.#allowHttp) {
      return { code: "url_scheme", message: "The address must start with https://" };
    }
    if (target.family === 0 && LOCAL_NAME.test(target.host)) {
      return { code: "url_host", message: "The host is a name of a private network" };
    }
    if (target.port < 1024 && !LOW_PORTS.has(target.port)) {
      return { code: "url_port", message: "The port must be 80, 443, or 1024 or higher" };
    }
    return undefined;
  }
}

/** The policy that the configuration asks for. */
export function addressPolicyOf(config: Pick<Config, "egressAllowCidrs" | "egressAllowHttp">): AddressPolicy {
  return new AddressPolicy({ allowCidrs: config.egressAllowCidrs, allowHttp: config.egressAllowHttp });
}

function parseTarget(text: string): Target | Refusal {
  const invalid: Refusal = { code: "url_invalid", message: "The address must be an absolute URL" };
  if (text.length > URL_LENGTH_MAX || !URL.canParse(text)) return invalid;
  // The parser drops line breaks and tabs and encodes the rest: what is stored and shown would not be what is called.
  if (/\p{Cc}/u.test(text)) {
    return { code: "url_invalid", message: "The address must not contain control characters" };
  }
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return { code: "url_scheme", message: "The address must start with https:// or http://" };
  }
  // `https://@host` has an empty user: the parser drops it, but it is written to deceive a reader.
  if (url.username !== "" || url.password !== "" || /^[a-z]+:\/*[^/?#\\]*@/i.test(text.trim())) {
    return { code: "url_user_info", message: "The address must not contain a user name or password" };
  }
  if (url.hash !== "") return { code: "url_invalid", message: "The address must not contain a fragment" };
  if (url.port === "0") return { code: "url_port", message: "The port must not be 0" };
  const tls = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (host === "" || host.length > 253) return invalid;
  return {
    url,
    host,
    family: ipaddr.IPv4.isValidFourPartDecimal(host) ? 4 : host.includes(":") ? 6 : 0,
    port: url.port === "" ? (tls ? 443 : 80) : Number(url.port),
    tls,
    unlessAllowed: undefined,
  };
}

function isPublic(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  return address.kind() === "ipv4" || (address as ipaddr.IPv6).match(GLOBAL_UNICAST_V6);
}

/**
 * The address and the IPv4 address that a translator or tunnel would send it on to: NAT64 (RFC 6052, the last 32 bits),
 * 6to4 (RFC 3056), and the deprecated IPv4-compatible form (RFC 4291 section 2.5.5.1).
 */
function everyForm(address: Address): Address[] {
  if (address.kind() === "ipv4") return [address];
  const parts = (address as ipaddr.IPv6).parts;
  const embedded = (high: number, low: number): Address[] => [
    address,
    new ipaddr.IPv4([high >> 8, high & 255, low >> 8, low & 255]),
  ];
  const [first, second, third] = [parts[0]!, parts[1]!, parts[2]!];
  if (first === 0x64 && second === 0xff9b) return embedded(parts[6]!, parts[7]!);
  if (first === 0x2002) return embedded(second, third);
  if (parts.slice(0, 6).every((part) => part === 0) && parts[6] !== 0) return embedded(parts[6]!, parts[7]!);
  return [address];
}
