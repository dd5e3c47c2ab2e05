import { messageReaderOf } from "../edi/message-reader.ts";
import { noteAnswer, readAcknowledgment, readNotice } from "../edi/note-answer.ts";
import { partnersOf, type TenantPartners } from "../edi/partner-directory.ts";
import type { PartnerRow } from "../edi/partner-store.ts";
import type { MessageInterchange, MessageSet } from "../edi/read-x12-message.ts";
import { receiveInterchange } from "../edi/receive-interchange.ts";
import type { X12MappingInput } from "../../platform/x12/parse-x12-document.ts";
import type { CachedEndpoint } from "./endpoint-cache.ts";
import { handOver } from "./hand-over.ts";
import type { Work } from "./inbound-work.ts";
import { mapSet } from "./map-set.ts";
import { RouteDuplicate, RouteFailure } from "./route-failure.ts";
import type { RouteDeps } from "./route-deps.ts";

/** Sets that follow each other without a wait of their own give others their turn after this time. */
const TURN_MS = 10;

/** Failures that a dead letter names; the rest is counted. */
const NAMED_MAX = 5;

/** A body of X12 while its sets are routed. */
interface EdiWork {
  deps: RouteDeps;
  work: Work;
  endpoint: CachedEndpoint;
  partners: TenantPartners;
  /** When the message's processing time is over, in `performance.now()`. */
  deadlineMs: number;
  failures: { code: string; message: string }[];
  outputs: string[];
  /** Messages handed over so far: the first one has the receipt's own id. */
  handedOver: number;
}

/**
 * Routes a body of X12 from trading partners: each interchange is answered and remembered, then each set of it is mapped
 * and handed over on its own. What is refused or cannot be mapped fails the receipt in the end, and keeps nothing beside
 * it. Done again it repeats the same ids and answers nothing twice.
 *
 * @param body decoded
 * @returns the mapped documents as JSON, in a list when there are several; undefined without any. Null when the tenant
 * has no partners: then X12 is a body like any other
 * @throws RouteFailure; RouteDuplicate when every interchange was here before; anything else when something that the hub
 * itself needs is away
 */
export async function routeEdi(
  deps: RouteDeps,
  work: Work,
  endpoint: CachedEndpoint,
  body: Uint8Array,
): Promise<string | undefined | null> {
  const { runtime } = deps;
  const partners = await partnersOf(runtime).of(work.facts.tenantId);
  if (partners.rows.length === 0) return null;
  const deadlineMs = performance.now() + runtime.config.webhookTimeoutSeconds * 1_000;
  const message = await messageReaderOf(runtime).read(
    body,
    partners.recipes,
    new Date(runtime.clock.nowMs()),
  );
  const edi: EdiWork = {
    deps,
    work,
    endpoint,
    partners,
    deadlineMs,
    failures: [],
    outputs: [],
    handedOver: 0,
  };
  if (message.fault !== null) edi.failures.push({ code: "x12_refused", message: message.fault });
  const digest = new Bun.CryptoHasher("sha256").update(body).digest("hex").slice(0, 32);
  const duplicates: string[] = [];
  for (const [index, interchange] of message.interchanges.entries()) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, as they stand in the body
    const duplicateOf = await routeInterchange(edi, interchange, index, digest);
    if (duplicateOf !== null) duplicates.push(duplicateOf);
  }
  if (edi.failures.length > 0) throw failureOf(edi);
  if (duplicates.length > 0 && duplicates.length === message.interchanges.length)
    throw new RouteDuplicate(duplicates[0]!);
  const { outputs } = edi;
  return outputs.length <= 1 ? outputs[0] : `[${outputs.join(",")}]`;
}

/** @returns the receipt that brought it before; null when it is new or refused */
async function routeInterchange(
  edi: EdiWork,
  interchange: MessageInterchange,
  index: number,
  digest: string,
): Promise<string | null> {
  const { deps, work, failures, partners } = edi;
  const partner = partners.byId.get(interchange.partnerId ?? "");
  if (partner === undefined) {
    failures.push({ code: "x12_partner_unknown", message: unknownPartner(interchange) });
    return null;
  }
  const { id: receiptId, requestId: correlationId } = work.facts;
  const received = { partner, interchange, index, receiptId, digest, correlationId };
  const duplicate = await receiveInterchange(deps.runtime, received);
  if (duplicate !== null) return duplicate.duplicateOf;
  if (interchange.fault !== null) {
    const message = `Interchange ${interchange.key.controlNumber} of ${partner.name}: ${interchange.fault}`;
    failures.push({ code: "x12_refused", message });
  }
  if (!interchange.accepted) return null;
  for (const elements of interchange.notices) {
    const notice = readNotice(elements);
    // oxlint-disable-next-line no-await-in-loop -- one row each
    if (notice !== null) await noteAnswer(deps.runtime, partner, notice, correlationId);
  }
  await routeSets(edi, partner, interchange, index);
  return null;
}

async function routeSets(
  edi: EdiWork,
  partner: PartnerRow,
  interchange: MessageInterchange,
  index: number,
): Promise<void> {
  let turnEndsMs = performance.now() + TURN_MS;
  for (const set of interchange.sets) {
    if (set.input === null) continue;
    try {
      // oxlint-disable-next-line no-await-in-loop -- a target gets the sets of a body in their order
      await routeSet(edi, partner, interchange, { set, index });
    } catch (error) {
      if (!(error instanceof RouteFailure)) throw error;
      const message = `Set ${set.code} ${set.controlNumber} of ${partner.name}: ${error.message}`;
      // What may pass later is tried again as a whole; the ids of what has arrived stay the same.
      if (error.retryable) throw new RouteFailure(error.code, message, true);
      edi.failures.push({ code: error.code, message });
    }
    if (performance.now() > turnEndsMs) {
      // oxlint-disable-next-line no-await-in-loop -- the others' turn
      await Bun.sleep(0);
      turnEndsMs = performance.now() + TURN_MS;
    }
  }
}

async function routeSet(
  edi: EdiWork,
  partner: PartnerRow,
  interchange: MessageInterchange,
  { set, index }: { set: MessageSet; index: number },
): Promise<void> {
  const { deps, work, endpoint } = edi;
  const template = partner.settings.sets?.[set.code] ?? null;
  if (set.functionalId === "FA") {
    const input = typeof set.input === "string" ? (JSON.parse(set.input) as X12MappingInput) : set.input!;
    const answer = readAcknowledgment(input);
    if (answer !== null) await noteAnswer(deps.runtime, partner, answer, work.facts.requestId);
    if (template === null) return;
  }
  const mapped = await mapSet(deps, work, endpoint, { partner, interchange, set, template });
  if (mapped.isJson) edi.outputs.push(mapped.payload as string);
  const position = `${index}/${set.group}/${set.position}`;
  const isFirst = edi.handedOver === 0;
  edi.handedOver += 1;
  await handOver(deps.sender, work, endpoint, {
    id: isFirst ? work.facts.id : Bun.randomUUIDv5(position, work.facts.id),
    type: work.facts.eventType ?? `x12.${set.code}`,
    contentType: mapped.contentType,
    body: mapped.payload,
    timeoutMs: edi.deadlineMs - performance.now(),
  });
}

function unknownPartner({ key }: MessageInterchange): string {
  const { sender, receiver } = key;
  const name = ({ qualifier, id }: typeof sender): string => `${qualifier}/${id}`;
  return (
    `There is no EDI partner for documents from ${name(sender)} to ${name(receiver)} (ISA05 to ISA08); add it and ` +
    "replay the dead letter"
  );
}

function failureOf({ failures }: EdiWork): RouteFailure {
  const named = failures.slice(0, NAMED_MAX).map(({ message }) => message);
  const rest = failures.length > NAMED_MAX ? `; and ${failures.length - NAMED_MAX} more` : "";
  return new RouteFailure(failures[0]!.code, named.join("; ") + rest, false);
}
