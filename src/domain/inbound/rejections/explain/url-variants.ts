import type { RejectionCause } from "../rejection-cause.ts";
import { asIs, type Variant } from "./variant.ts";

/**
 * The addresses that the sender may have signed, for schemes that sign it: the one that PUBLIC_URL gives first, then
 * those of other hosts, ports and spellings.
 *
 * @param publicUrl PUBLIC_URL, without a slash at the end
 * @param target path and query as received
 */
export function urlVariants(publicUrl: string, target: string, headers: Headers): readonly Variant<string>[] {
  const own = publicUrl + target;
  const variants = [asIs(own)];
  const seen = new Set([own]);
  for (const origin of origins(publicUrl, headers)) {
    for (const path of targets(target)) {
      const url = origin + path;
      if (seen.has(url)) continue;
      seen.add(url);
      variants.push({ value: url, causes: [causeOf(own, url)] });
    }
  }
  return variants;
}

function causeOf(own: string, signed: string): RejectionCause {
  return {
    code: "url_differs",
    message: `The sender signed the address ${withoutQuery(signed)}, but by PUBLIC_URL it is ${withoutQuery(own)}.`,
    action:
      "Set PUBLIC_URL to the address under which senders reach the hub, or give the sender exactly the endpoint's `url`.",
  };
}

function origins(publicUrl: string, headers: Headers): string[] {
  const hosts = new Set<string>();
  for (const name of ["host", "x-forwarded-host", "x-original-host"]) {
    const value = headers.get(name)?.split(",")[0]?.trim();
    if (value !== undefined && /^[\w.:[\]-]{1,255}$/.test(value)) hosts.add(value);
  }
  const own = URL.canParse(publicUrl) ? new URL(publicUrl) : undefined;
  if (own !== undefined) hosts.add(own.host).add(own.hostname);
  const found = new Set([publicUrl]);
  for (const host of hosts) {
    for (const protocol of ["https:", "http:"]) {
      const port = protocol === "https:" ? 443 : 80;
      found.add(`${protocol}//${host}`).add(`${protocol}//${host}:${port}`);
      // PUBLIC_URL may have a path of its own before the hub's.
      if (own !== undefined && own.pathname !== "/")
        found.add(`${protocol}//${host}${own.pathname.replace(/\/$/, "")}`);
    }
  }
  return [...found];
}

function targets(target: string): string[] {
  const at = target.indexOf("?");
  const [path, query] = at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at)];
  return [target, path, `${path}/${query}`, decoded(target), `${path}?`];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** An address as it may be shown: its query may hold a token. */
export function withoutQuery(url: string): string {
  const at = url.indexOf("?");
  return at < 0 ? url : `${url.slice(0, at)}?…`;
}

/** For schemes that sign the address: the secret is not the only thing that may differ. */
export function unexplainedAddress(url: string): RejectionCause {
  return {
    code: "unexplained",
    message: `The signature fits none of the usual mistakes: most likely the sender signs with another secret, or for another address than ${url}, or the body was changed on its way.`,
    action:
      "Give the sender exactly this address, or set PUBLIC_URL to the one that it uses; then compare the last four characters of the secret with the sender's (`secretLast4`).",
  };
}
