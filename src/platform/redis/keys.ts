/**
 * Every key name of the hub, with its type and lifetime. Keys of one partition share the tag `{pNN}`, so that one
 * script may touch them on a Cluster; nothing else in the code spells a key.
 */

/** The tag that puts all keys of a partition into one slot. */
export function partitionTag(partition: number): string {
  return `{p${partition < 10 ? `0${partition}` : partition}}`;
}

/**
 * Partition of a routing id (endpoint, subscription, ordering key): FNV-1a of the text, so that every process agrees.
 *
 * @param partitions STREAM_PARTITIONS, fixed at the first start
 */
export function partitionOf(routingId: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < routingId.length; index++) {
    hash ^= routingId.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % partitions;
}

/** Keys of the inbound topic in one partition. */
export interface InboundKeys {
  /** STREAM of accepted requests and of references to receipts that are due again. */
  stream: string;
  /** ZSET `<receipt>/<tenant>/<endpoint>` → due time in ms: what waits for its next attempt. */
  retry: string;
  /** SET of `<receipt>/<tenant>/<endpoint>` that wait for a paused endpoint. */
  held: string;
  /**
   * HASH `<tenant>/<word>` → count, as long as the data lives: the ledger of conservation. Words: `accepted` (also
   * counts each replay) and the five outcomes. What a tenant has unfinished is accepted − outcomes.
   */
  ledger: string;
}

/** The inbound topic's keys of a partition. */
export function inboundKeys(partition: number): InboundKeys {
  const prefix = `${partitionTag(partition)}:in`;
  return {
    stream: prefix,
    retry: `${prefix}:retry`,
    held: `${prefix}:held`,
    ledger: `${prefix}:ledger`,
  };
}

/**
 * HASH of remembered event ids of one generation; field = 12 bytes of a hash, value = first receipt id and body hash.
 * A generation lasts DEDUPE_HOT_SECONDS and is kept for two of them, or less where memory is short.
 */
export function seenKey(partition: number, generation: number): string {
  return `${partitionTag(partition)}:in:seen:${generation}`;
}

/**
 * HASH since, announced, began (ms) of what a partition remembers where it was forgotten early; see forget-seen.lua.
 * Expires with the generations that it tells of.
 */
export function seenSpanKey(partition: number): string {
  return `${partitionTag(partition)}:in:seen:span`;
}

/** STRING, GCRA state of one endpoint's `rateLimit`; expires when the limit is idle. */
export function endpointRateKey(partition: number, endpointId: string): string {
  return `${partitionTag(partition)}:in:rate:${endpointId}`;
}

/** Keys of the event topic in one partition (of tenant and ordering key, or of tenant and event id). */
export interface EventKeys {
  /** STREAM of published events that are still to be fanned out. */
  stream: string;
  /** HASH `<tenant>/<word>` → count, as for the inbound topic: `accepted` and the outcomes of events. */
  ledger: string;
}

/** The event topic's keys of a partition. */
export function eventKeys(partition: number): EventKeys {
  const prefix = `${partitionTag(partition)}:ev`;
  return { stream: prefix, ledger: `${prefix}:ledger` };
}

/**
 * HASH of event ids of one generation; field = 12 bytes of a hash of tenant and event id, value = when it was accepted
 * and a hash of its content. A generation lasts DEDUPE_HOT_SECONDS and is kept for two of them.
 */
export function eventSeenKey(partition: number, generation: number): string {
  return `${partitionTag(partition)}:ev:seen:${generation}`;
}

/** Text whose partition an event belongs to: events of one key stand in one stream, in the order of publishing. */
export function eventRoute(event: {
  tenantId: string;
  id: string;
  orderingKey?: string | undefined;
}): string {
  return `${event.tenantId}/${event.orderingKey ?? event.id}`;
}

/** STREAM into which trusted services of the platform put events without HTTP. */
export const EVENT_INTAKE_KEY = "events:in";

/** STREAM of intake entries that name no tenant, so that no tenant's dead letters can show them; the last 10,000, or 16 MiB of them. */
export const EVENT_INTAKE_DEAD_KEY = "events:in:dead";

/** Pub/sub channel that tells of stored events, for live views. */
export const STORED_EVENTS_CHANNEL = "hub:events:stored";

/** Keys of the deliveries of one partition (of the subscription id). */
export interface DeliveryKeys {
  /** HASH holder, token, expiresAtMs: lease of the one process that sends this partition's deliveries. */
  owner: string;
  /** ZSET subscription id → when its earliest waiting delivery is due (ms); see `deliveries/scores.ts`. */
  due: string;
  /** HASH `<tenant>/<word>` → count: `accepted` and the outcomes of deliveries. */
  ledger: string;
}

/** The delivery keys of a partition. */
export function deliveryKeys(partition: number): DeliveryKeys {
  const prefix = `${partitionTag(partition)}:dl`;
  return { owner: `${prefix}:owner`, due: `${prefix}:due`, ledger: `${prefix}:ledger` };
}

/** Beginning of `deliveryQueueKey`, without the subscription id. */
export function deliveryQueuePrefix(partition: number): string {
  return `${partitionTag(partition)}:dl:q:`;
}

/**
 * ZSET of one subscription's deliveries that have not ended → when each is due (ms); the set of what is live. Goes with
 * its last member.
 */
export function deliveryQueueKey(partition: number, subscriptionId: string): string {
  return deliveryQueuePrefix(partition) + subscriptionId;
}

/**
 * LIST of the deliveries of one ordering key of a subscription, the one whose turn it is first; goes with its last member.
 * The name is short because a million keys may have one waiting each.
 */
export function deliveryOrderKey(partition: number, orderHash: string): string {
  return `${partitionTag(partition)}:dl:o:${orderHash}`;
}

/** HASH holder, token, expiresAtMs: lease of the one process that fans a partition's events out. */
export function eventOwnerKey(partition: number): string {
  return `${partitionTag(partition)}:ev:owner`;
}

/** ZSET process id → end of its membership (ms): the live processes among which partitions are shared out. */
export function membersKey(kind: string): string {
  return `hub:members:${kind}`;
}

/** STRING without TTL: when it is gone, Redis has lost its deliveries. */
export const DELIVERIES_INCARNATION_KEY = "hub:incarnation:deliveries";

/** Consumer group of the hub's own workers on its topics. */
export const WORKER_GROUP = "hub";

/** STREAM of a target service, read by the service itself in the group of its name. */
export function serviceStreamKey(serviceName: string): string {
  return `svc:${serviceName}`;
}

/** STRING with a TTL: holder of a worker's consumer name, renewed while it lives. */
export function workerLeaseKey(slot: number): string {
  return `hub:lease:worker:${slot}`;
}

/** HASH holder, token, expiresAtMs: the one process that does a scheduled job; stays, because the token must not fall. */
export function jobLeaseKey(job: string): string {
  return `hub:lease:job:${job}`;
}

/** HASH holder, token, expiresAtMs: the one process that replaces an integration's tokens; stays, as above. */
export function oauthLeaseKey(integrationId: string): string {
  return `hub:lease:oauth:${integrationId}`;
}

/** Pub/sub channel for `<kind>:<id>` of changed configuration; may lose messages, so caches also expire. */
export const INVALIDATION_CHANNEL = "hub:invalidate";

/** STRING, random, without TTL: when it is gone, Redis has lost its data. */
export const INCARNATION_KEY = "hub:incarnation";

/** STRING, the STREAM_PARTITIONS of the first start. */
export const PARTITIONS_KEY = "hub:partitions";

/** Pub/sub channel on which every process tells its metrics; nothing is stored, because the AOF would keep it all. */
/** How long senders wait for their answers, in ms; see answer-time.ts. */
export const ANSWER_TIME_CHANNEL = "hub:answer-time";

export const METRICS_CHANNEL = "hub:metrics";

/** Pub/sub channel of one process to itself, by which it notices that its subscription is dead. */
export const SUBSCRIPTION_BEAT_PREFIX = "hub:beat:";

/** Prefix of the rate limiter's keys for management calls; kept in the volatile Redis. */
export const API_LIMIT_PREFIX = "hub:limit";

/** Keys of the admission of calls out; all of one provider share a slot, so that one script sees its shared quotas. */
export interface AdmissionKeys {
  /** HASH of one integration: arrivals, circuit, pause and what the provider reported; see `rate-limit/*.lua`. */
  state: string;
  /** ZSET of its waiting calls → priority and arrival. */
  queue: string;
  /** ZSET of its waiting calls → when their owner asks again (ms). */
  due: string;
  /** ZSET of its calls under way → end of their lease (ms). */
  inFlight: string;
  /** HASH of what all tenants of a provider share in one environment. */
  sharedState: string;
  /** ZSET of their calls under way → end of their lease (ms). */
  sharedInFlight: string;
  /** ZSET of integrations that wait for a shared quota → their virtual time. */
  turns: string;
  /** ZSET of the same → when their next call asks again (ms). */
  turnsDue: string;
  /** HASH `<process>/<number>` → end (ms) and calls of a block that it was given; see `block.lua`. */
  blocks: string;
}

/** The admission keys of one integration; all go by themselves when it is idle, an open circuit excepted. */
export function admissionKeys(scope: {
  providerId: string;
  environment: string;
  integrationId: string;
  route?: "fallback" | undefined;
}): AdmissionKeys {
  const of = scope.route === undefined ? scope.integrationId : `${scope.integrationId}:${scope.route}`;
  const own = `{g:${scope.providerId}}:i:${of}`;
  const shared = `{g:${scope.providerId}}:s:${scope.environment}`;
  return {
    state: own,
    queue: `${own}:q`,
    due: `${own}:due`,
    inFlight: `${own}:run`,
    sharedState: shared,
    sharedInFlight: `${shared}:run`,
    turns: `${shared}:turns`,
    turnsDue: `${shared}:due`,
    blocks: `${own}:blocks`,
  };
}

/**
 * LIST or HASH of what was taken of one quota; goes a window after its last use. Limit and window are in the name,
 * because a count of another window means nothing.
 *
 * @param state `state` or `sharedState` of the admission keys
 */
export function quotaKey(state: string, quota: { name: string; limit: number; windowMs: number }): string {
  return `${state}:u:${quota.name}:${quota.limit}/${quota.windowMs}`;
}

/**
 * Beginning of the pub/sub channel of one process, then its id: a call's id tells that one to ask now, the name of an
 * integration's state that calls of it are no longer admitted without asking.
 */
export const ADMISSION_WAKE_PREFIX = "hub:admission:wake:";
