import { afterAll } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AddressPolicy } from "../../src/platform/egress/address-policy.ts";
import type { EgressRequest, EgressResult } from "../../src/platform/egress/exchange.ts";
import { Sender } from "../../src/platform/egress/send.ts";

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dir, "../fixtures/tls", name), "utf8");

/** Certificate for receiver.test, *.receiver.test and 127.0.0.1, signed by itself. */
export const RECEIVER_CERT = fixture("receiver-cert.pem");
export const RECEIVER_KEY = fixture("receiver-key.pem");

const senders: Sender[] = [];
afterAll(() => {
  for (const sender of senders) sender.close();
});

/** A sender of its own; by default it may call loopback and nothing else that is private. */
export function makeSender(
  options: { allowCidrs?: string[]; allowHttp?: boolean; dnsServer?: string; certificates?: string[] } = {},
): Sender {
  const { allowCidrs = ["127.0.0.0/8", "::1"], allowHttp = false, dnsServer, certificates } = options;
  const sender = new Sender({
    policy: new AddressPolicy({ allowCidrs, allowHttp }),
    ...(dnsServer === undefined ? {} : { dnsServers: [dnsServer] }),
    ...(certificates === undefined ? {} : { certificates }),
  });
  senders.push(sender);
  return sender;
}

/** Sends a POST with what matters to a test filled in. */
export function post(sender: Sender, url: string, more: Partial<EgressRequest> = {}): Promise<EgressResult> {
  return sender.send({
    key: url,
    url,
    policy: "public",
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
    timeoutMs: 5_000,
    ...more,
  });
}
