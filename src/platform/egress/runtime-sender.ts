import type { Runtime } from "../runtime.ts";
import { addressPolicyOf } from "./address-policy.ts";
import { Sender } from "./send.ts";

const senders = new WeakMap<Runtime, Sender>();

/** The process's one sender, made on first use and closed with the runtime. */
export function senderOf(runtime: Runtime): Sender {
  let sender = senders.get(runtime);
  if (sender === undefined) {
    sender = new Sender({
      policy: addressPolicyOf(runtime.config),
      dnsServers: runtime.config.egressDnsServers,
    });
    senders.set(runtime, sender);
    const opened = sender;
    runtime.shutdown.add("egress", () => opened.close());
  }
  return sender;
}
