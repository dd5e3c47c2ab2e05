import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { AddressPolicy } from "../../src/platform/egress/address-policy.ts";
import { DnsServer } from "../support/dns-server.ts";
import { answer, RawReceiver } from "../support/raw-receiver.ts";
import { makeSender, post } from "./egress-fixture.ts";

const strict = new AddressPolicy({ allowCidrs: [], allowHttp: true });
const codeOf = (policy: AddressPolicy, url: string): string => {
  const checked = policy.checkUrl(url);
  return "code" in checked ? checked.code : "taken";
};

describe("AddressPolicy.checkUrl()", () => {
  test.each([
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://%31%32%37.0.0.1/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:53aa:64c:0:7fff:80ff:fffe]/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://192.0.0.8/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://240.0.0.1/",
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[fec0::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[100::1]/",
    "https://[100:0:0:1::1]/",
    "https://[4000::1]/",
    "https://[5f00::1]/",
  ])("refuses %s: not public", (url) => {
    expect(codeOf(strict, url)).toBe("address_not_public");
  });

  test.each([
    "https://169.254.169.254/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:a9fe:a9fe::]/",
    "https://169.254.170.2/",
    "https://[fd00:ec2::254]/",
    "https://[fd20:ce::254]/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://[fe80::1]/",
    "https://0.0.0.0/",
    "https://0/",
    "https://[::]/",
    "https://255.255.255.255/",
    "https://224.0.0.1/",
    "https://[ff02::1]/",
  ])("never takes %s, not even from the allow-list", (url) => {
    const open = new AddressPolicy({ allowCidrs: ["0.0.0.0/0", "::/0"], allowHttp: true });
    expect(codeOf(open, url)).toBe("address_never");
    expect(open.checkUrl(url, "internal")).toMatchObject({ code: "address_never" });
  });

  test.each([
    ["file:///etc/passwd", "url_scheme"],
    ["data:text/plain,hello", "url_scheme"],
    ["s3://bucket/key", "url_scheme"],
    ["ftp://example.com/", "url_scheme"],
    ["gopher://example.com/", "url_scheme"],
    ["javascript:alert(1)", "url_scheme"],
    ["unix:/run/docker.sock", "url_scheme"],
    ["https://user@example.com/", "url_user_info"],
    ["https://user:secret@example.com/", "url_user_info"],
    ["https://@example.com/", "url_user_info"],
    ["https://example.com\\@127.0.0.1/", "taken"],
    ["https://example.com/#part", "url_invalid"],
    ["//example.com/", "url_invalid"],
    ["https://example.com/\r\nX-Injected: 1", "url_invalid"],
    ["https://exam\tple.com/", "url_invalid"],
    ["/hook", "url_invalid"],
    ["", "url_invalid"],
    ["https://", "url_invalid"],
    ["https://[fe80::1%25eth0]/", "url_invalid"],
    [`https://example.com/${"x".repeat(2048)}`, "url_invalid"],
    ["https://example.com:0/", "url_port"],
    ["https://example.com:22/", "url_port"],
    ["https://example.com:25/", "url_port"],
    ["https://example.com:99999/", "url_invalid"],
    ["https://localhost/", "url_host"],
    ["https://localhost./", "url_host"],
    ["https://a.localhost/", "url_host"],
    ["https://printer.local/", "url_host"],
    ["https://db.internal/", "url_host"],
    ["https://router.home.arpa/", "url_host"],
    ["https://intranet/", "url_host"],
  ])("judges %s as %s", (url, code) => {
    expect(codeOf(strict, url)).toBe(code);
  });

  test.each([
    "https://example.com/",
    "https://example.com:8443/a?b=c",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
  ])("takes %s", (url) => {
    expect(codeOf(strict, url)).toBe("taken");
  });

  test("takes plain http only when it is allowed", () => {
    expect(codeOf(strict, "http://example.com/")).toBe("taken");
    const secure = new AddressPolicy({ allowCidrs: [], allowHttp: false });
    expect(codeOf(secure, "http://example.com/")).toBe("url_scheme");
    const listed = new AddressPolicy({ allowCidrs: ["10.0.0.0/8"], allowHttp: false });
    expect(codeOf(listed, "http://10.1.2.3/")).toBe("taken");
    expect(codeOf(listed, "http://8.8.8.8/")).toBe("url_scheme");
    expect(codeOf(listed, "http://11.1.2.3/")).toBe("url_scheme");
  });

  test("lets an allowed range through, and nothing behind a translator", () => {
    const listed = new AddressPolicy({ allowCidrs: ["10.0.0.0/8", "64:ff9b::/96"], allowHttp: false });
    expect(codeOf(listed, "https://10.1.2.3:22/")).toBe("taken");
    expect(codeOf(listed, "https://[::ffff:10.1.2.3]/")).toBe("taken");
    expect(codeOf(listed, "https://[64:ff9b::8.8.8.8]/")).toBe("taken");
    expect(codeOf(listed, "https://[64:ff9b::192.168.0.1]/")).toBe("address_not_public");
    expect(codeOf(listed, "https://192.168.0.1/")).toBe("address_not_public");
  });
});

/** An address of this machine that is not loopback; machines without a network have none. */
const ownAddress = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === "IPv4" && !one.internal)?.address;
const LISTENERS = ["127.0.0.1", "::1", "127.0.0.2", ...(ownAddress === undefined ? [] : [ownAddress])];

describe("Sender.send() to names", () => {
  let dns: DnsServer;
  const receivers = new Map<string, RawReceiver>();

  beforeAll(async () => {
    dns = await DnsServer.start();
    for (const address of LISTENERS) {
      // oxlint-disable-next-line no-await-in-loop -- four of them
      receivers.set(address, await RawReceiver.start((socket) => socket.end(answer(200)), address));
    }
  });
  afterAll(async () => {
    await Promise.all([...receivers.values()].map((receiver) => receiver.stop()));
    await dns.stop();
  });

  const literal = (address: string): string => (address.includes(":") ? `[${address}]` : address);

  test.each(LISTENERS)("reaches %s by no way without the allow-list, and once with it", async (address) => {
    const receiver = receivers.get(address)!;
    const { port } = receiver;
    const name = `a${port}.example.com`;
    dns.set(name, [address]);
    const closed = makeSender({ allowCidrs: [], allowHttp: true, dnsServer: dns.address });
    for (const host of [literal(address), name, `${name}.`]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await post(closed, `http://${host}:${port}/`)).toMatchObject({
        kind: "refused",
        code: "address_not_public",
      });
    }
    expect(receiver.connections).toBe(0);

    const open = makeSender({ allowCidrs: [address], dnsServer: dns.address });
    expect(await post(open, `http://${name}:${port}/`)).toMatchObject({
      kind: "response",
      status: 200,
      address,
    });
    expect(receiver.connections).toBe(1);
  });

  test("refuses a name of which one address is private", async () => {
    const receiver = receivers.get("127.0.0.1")!;
    const before = receiver.connections;
    const sender = makeSender({ allowCidrs: [], allowHttp: true, dnsServer: dns.address });
    for (const [index, answers] of [
      ["93.184.216.34", "127.0.0.1"],
      ["127.0.0.1", "93.184.216.34"],
      ["93.184.216.34", "::1"],
      ["93.184.216.34", "64:ff9b::7f00:1"],
      ["93.184.216.34", "169.254.169.254"],
    ].entries()) {
      dns.set(`mixed${index}.example.com`, answers);
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const result = await post(sender, `http://mixed${index}.example.com:${receiver.port}/`);
      expect(result.kind).toBe("refused");
    }
    expect(receiver.connections).toBe(before);
  });

  test("connects to the address that was judged, although the name rebinds with every look-up", async () => {
    const [checked, target] = [receivers.get("127.0.0.2")!, receivers.get("127.0.0.1")!];
    const before = target.connections;
    // First an allowed address, then one that is not: a second look-up between check and connection would reach it.
    dns.set("rebind.example.com", (nth) => [nth === 0 ? "127.0.0.2" : "127.0.0.1"]);
    const sender = makeSender({ allowCidrs: ["127.0.0.2"], dnsServer: dns.address });
    const result = await post(sender, `http://rebind.example.com:${checked.port}/`);
    expect(result).toMatchObject({ kind: "response", address: "127.0.0.2" });
    expect(dns.asked.get("rebind.example.com")).toBe(1);

    const later = makeSender({ allowCidrs: ["127.0.0.2"], dnsServer: dns.address });
    expect(await post(later, `http://rebind.example.com:${target.port}/`)).toMatchObject({ kind: "refused" });
    expect(target.connections).toBe(before);
  });

  test("says what is wrong with a name: missing, broken, silent", async () => {
    dns.set("broken.example.com", "SERVFAIL");
    dns.set("silent.example.com", "silent");
    dns.set("empty.example.com", []);
    const sender = makeSender({ dnsServer: dns.address });
    const send = (name: string, timeoutMs = 30_000) =>
      post(sender, `https://${name}.example.com/`, { timeoutMs });
    const [missing, empty, broken, silent] = await Promise.all([
      ...["missing", "empty", "broken"].map((name) => send(name)),
      send("silent", 700),
    ]);
    expect(missing).toMatchObject({ kind: "error", phase: "dns", code: "dns_not_found", sent: false });
    expect(empty).toMatchObject({ kind: "error", phase: "dns", code: "dns_not_found", sent: false });
    expect(broken).toMatchObject({ kind: "error", phase: "dns", code: "dns_failed", sent: false });
    expect(silent).toMatchObject({ kind: "timeout", phase: "dns", sent: false });
  });

  test("does not follow a redirect to a private address", async () => {
    const inner = receivers.get("127.0.0.1")!;
    const before = inner.connections;
    const outer = await RawReceiver.start((socket) =>
      socket.end(answer(302, "", [`Location: http://127.0.0.1:${inner.port}/`])),
    );
    const result = await post(makeSender(), `http://127.0.0.1:${outer.port}/`);
    expect(result).toMatchObject({ kind: "response", status: 302 });
    expect(inner.connections).toBe(before);
    await outer.stop();
  });

  test("knows no proxy", async () => {
    const proxy = await RawReceiver.start((socket) => socket.end(answer(200)));
    const receiver = await RawReceiver.start((socket) => socket.end(answer(204)));
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
    for (const name of names) process.env[name] = `http://127.0.0.1:${proxy.port}`;
    try {
      expect(await post(makeSender(), `http://127.0.0.1:${receiver.port}/`)).toMatchObject({ status: 204 });
    } finally {
      for (const name of names) delete process.env[name];
    }
    expect(proxy.connections).toBe(0);
    await Promise.all([proxy.stop(), receiver.stop()]);
  });
});
