/** A page as a browser has it in the end. */
export interface Page {
  url: string;
  status: number;
  headers: Headers;
  html: string;
}

type Fetch = (request: Request) => Promise<Response>;

/** What a browser does in a log-in: keeps cookies by host, follows redirects, and submits forms. */
export class Browser {
  readonly #jar = new Map<string, Map<string, string>>();
  readonly #hosts: ReadonlyMap<string, Fetch>;
  /** Every address that it was at. */
  readonly visited: string[] = [];

  /** @param hosts origins that are not on the network: the hub in this process */
  constructor(hosts: ReadonlyMap<string, Fetch>) {
    this.#hosts = hosts;
  }

  cookies(origin: string): string[] {
    return [...(this.#jar.get(new URL(origin).host) ?? [])].map(([name, value]) => `${name}=${value}`);
  }

  /** Opens an address; `stopAt`: a redirect there is not followed. */
  open(url: string, stopAt?: string): Promise<Page> {
    return this.#go("GET", url, undefined, stopAt);
  }

  /** Fills in and submits the form of a page. */
  submit(page: Page, fields: Record<string, string> = {}, stopAt?: string): Promise<Page> {
    const form = /<form[^>]*action="([^"]+)"[^>]*>(.*?)<\/form>/s.exec(page.html);
    if (form === null) throw new Error(`No form at ${page.url}: ${page.html.slice(0, 500)}`);
    const hidden = [...form[2]!.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([tag]) => [
      /name="([^"]*)"/.exec(tag)![1]!,
      /value="([^"]*)"/.exec(tag)?.[1] ?? "",
    ]);
    const body = new URLSearchParams([...hidden, ...Object.entries(fields)] as [string, string][]);
    return this.#go("POST", new URL(form[1]!, page.url).href, body.toString(), stopAt);
  }

  async #go(
    method: string,
    url: string,
    body: string | undefined,
    stopAt: string | undefined,
  ): Promise<Page> {
    let [at, verb, content] = [url, method, body];
    for (let hops = 0; hops < 20; hops++) {
      this.visited.push(at);
      const { host, origin } = new URL(at);
      const request = new Request(at, {
        method: verb,
        redirect: "manual",
        headers: {
          cookie: this.cookies(at).join("; "),
          accept: "text/html",
          ...(content === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
        },
        ...(content === undefined ? {} : { body: content }),
      });
      // oxlint-disable-next-line no-await-in-loop -- one redirect after the other
      const response = await (this.#hosts.get(origin) ?? fetch)(request);
      this.#keep(host, response.headers.getSetCookie());
      const location = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || location === null)
        // oxlint-disable-next-line no-await-in-loop -- as above
        return { url: at, status: response.status, headers: response.headers, html: await response.text() };
      const next = new URL(location, at).href;
      if (stopAt !== undefined && next.startsWith(stopAt))
        return { url: next, status: response.status, headers: response.headers, html: "" };
      [at, verb, content] = [next, "GET", undefined];
    }
    throw new Error(`Too many redirects from ${url}`);
  }

  #keep(host: string, lines: readonly string[]): void {
    const jar = this.#jar.get(host) ?? new Map<string, string>();
    this.#jar.set(host, jar);
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
      const [name = "", value = ""] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const isGone = attributes.some((text) => /^max-age=0$|^expires=Thu, 01 Jan 1970/i.test(text));
      if (isGone || value === "") jar.delete(name);
      else jar.set(name, value);
    }
  }
}
