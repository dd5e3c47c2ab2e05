-- Purpose: the inbound path: services, webhook_endpoints (specification), webhook_receipts, large_bodies,
-- rejected_requests, dead_letters.

-- Where accepted webhooks are routed to: webhook_endpoints.target_service names a row. tenant_id null: a service of
-- the platform, for every tenant; a tenant's own row of the same name comes first.
create table services (
  id uuid primary key default hub_new_id(),
  tenant_id uuid references tenants (id),
  name varchar(50) not null check (name ~ '^[a-z0-9][a-z0-9-]{0,49}$'),
  -- STREAM: Redis stream svc:<name>, read by the service's own group; HTTP: POST to url.
  kind text not null check (kind in ('STREAM', 'HTTP')),
  url text,
  timeout_seconds integer not null default 30 check (timeout_seconds > 0),
  description text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((kind = 'HTTP') = (url is not null))
);

create unique index services_name on services (tenant_id, name) nulls not distinct;

-- Departures from the specification:
--   * UNIQUE(tenant_id, endpoint_path) ignores deleted rows: a path is free again after its endpoint is deleted;
--   * secret_key holds sealed text; earlier secrets that still verify stand in previous_secrets, sealed too;
--   * signature_scheme … max_body_bytes added: how a provider signs, names its events and how much it may send;
--   * the totals are BIGINT: at 1,000 a second an INTEGER is full after 25 days.
create table webhook_endpoints (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  integration_id uuid,
  endpoint_path varchar(200) not null,
  -- True when the hub chose the path: 22 random characters that only the sender knows.
  path_generated boolean not null default false,
  secret_key text not null,
  secret_last4 text,
  -- [{ "sealed": text, "expiresAt": RFC 3339 }]
  previous_secrets jsonb not null default '[]' check (jsonb_typeof(previous_secrets) = 'array'),
  event_types jsonb not null default '[]' check (jsonb_typeof(event_types) = 'array'),
  handler_type varchar(50) not null check (handler_type in ('LOAD_STATUS', 'TRACKING', 'INVOICE', 'CUSTOM')),
  transform_template jsonb,
  target_service varchar(50),
  ip_whitelist jsonb check (jsonb_typeof(ip_whitelist) in ('array', 'null')),
  signature_scheme varchar(50) not null default 'hmac',
  signature_header varchar(100),
  signature_algorithm varchar(50),
  signature_settings jsonb check (jsonb_typeof(signature_settings) in ('object', 'null')),
  event_id_source jsonb check (jsonb_typeof(event_id_source) in ('object', 'null')),
  event_type_source jsonb check (jsonb_typeof(event_type_source) in ('object', 'null')),
  dedupe_window_seconds integer not null default 259200 check (dedupe_window_seconds > 0),
  -- { "limit", "windowSeconds", "burst" }; null: none.
  rate_limit jsonb check (jsonb_typeof(rate_limit) in ('object', 'null')),
  max_body_bytes integer not null default 1048576 check (max_body_bytes between 1 and 26214400),
  status varchar(20) not null default 'ACTIVE' check (status in ('ACTIVE', 'PAUSED', 'DISABLED')),
  is_enabled boolean not null default true,
  total_received bigint not null default 0,
  total_processed bigint not null default 0,
  total_failed bigint not null default 0,
  last_received_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  unique (tenant_id, id),
  foreign key (tenant_id, integration_id) references integrations (tenant_id, id)
);

create unique index webhook_endpoints_path on webhook_endpoints (tenant_id, endpoint_path) where deleted_at is null;
create index idx_webhooks_tenant on webhook_endpoints (tenant_id, id desc) where deleted_at is null;
create index idx_webhooks_integration on webhook_endpoints (integration_id) where integration_id is not null;

-- Log tables are partitioned by day of created_at, which is the time inside the UUIDv7 id: a repeated insert meets
-- itself, a look-up by id finds its partition, and retention drops a table instead of deleting rows. They have no
-- foreign keys (a batch must not fail over one row), no length limits (the writers cut) and no checks on states.
create table webhook_receipts (
  id uuid not null,
  tenant_id uuid not null,
  endpoint_id uuid not null,
  integration_id uuid,
  -- Dedupe key: hash over endpoint and event id.
  event_key text not null,
  event_id text,
  event_type text,
  -- PROCESSED, FILTERED, DUPLICATE, RETRYING, HELD, DEAD, CANCELLED
  status text not null,
  attempt_count integer not null default 0,
  next_retry_at timestamptz,
  error_code text,
  error_message text,
  target_service text,
  method text,
  path text,
  query text,
  headers jsonb,
  content_type text,
  content_encoding text,
  -- As received, byte for byte; null when it is empty, in large_bodies, or dropped (body_dropped).
  body bytea,
  body_size integer not null default 0,
  body_dropped boolean not null default false,
  -- Receipt id under which large_bodies holds the body.
  large_body_id uuid,
  -- What was routed, where a transformation made it differ from the body.
  output bytea,
  source_ip text,
  correlation_id text,
  traceparent text,
  -- First receipt of the same event.
  duplicate_of uuid,
  partition smallint,
  processed_at timestamptz,
  created_at timestamptz not null,
  primary key (id, created_at)
) partition by range (created_at);

create index webhook_receipts_tenant on webhook_receipts (tenant_id, id desc);
create index webhook_receipts_endpoint on webhook_receipts (endpoint_id, id desc);
create index webhook_receipts_event on webhook_receipts (endpoint_id, event_key);
-- The sweeper rebuilds Redis from these; a day that still has one is not dropped.
create index webhook_receipts_unfinished on webhook_receipts (endpoint_id, id) where status in ('RETRYING', 'HELD');
create index webhook_receipts_created on webhook_receipts using brin (created_at);

-- Bodies over 64 KiB in pieces, written before the entry that refers to them. `external`: a compression attempt over
-- megabytes would cost more than it saves.
create table large_bodies (
  receipt_id uuid not null,
  part integer not null,
  tenant_id uuid not null,
  bytes bytea not null,
  created_at timestamptz not null,
  primary key (receipt_id, part)
);

alter table large_bodies alter column bytes set storage external;
create index large_bodies_created on large_bodies using brin (created_at);

-- Samples of refused requests: shown redacted, the raw request sealed so that it can be verified again later.
create table rejected_requests (
  id uuid not null,
  tenant_id uuid not null,
  endpoint_id uuid,
  -- Error code of the answer, for example signature_invalid.
  reason_code text not null,
  detail text,
  response_status integer not null,
  method text,
  path text,
  query text,
  headers jsonb,
  body bytea,
  body_size integer,
  -- Sealed by the vault: method, path, headers and body as received.
  raw_sealed text,
  source_ip text,
  correlation_id text,
  -- Set when a person accepted it after all.
  accepted_receipt_id uuid,
  accepted_at timestamptz,
  created_at timestamptz not null,
  primary key (id, created_at)
) partition by range (created_at);

create index rejected_requests_tenant on rejected_requests (tenant_id, id desc);
create index rejected_requests_endpoint on rejected_requests (endpoint_id, id desc);
create index rejected_requests_created on rejected_requests using brin (created_at);

-- What could not be processed, until a person replays or deletes it: not partitioned, retention leaves it alone.
create table dead_letters (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  topic text not null,
  endpoint_id uuid,
  subscription_id uuid,
  receipt_id uuid,
  receipt_created_at timestamptz,
  event_key text,
  event_id text,
  event_type text,
  reason_code text not null,
  message text,
  attempts integer not null default 0,
  headers jsonb,
  content_type text,
  content_encoding text,
  body bytea,
  -- A mended body stands beside the original, which stays as received.
  mended_body bytea,
  mended_content_type text,
  mended_at timestamptz,
  mended_by text,
  status text not null default 'OPEN' check (status in ('OPEN', 'REPLAYED', 'DELETED')),
  replayed_at timestamptz,
  correlation_id text,
  traceparent text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index dead_letters_tenant on dead_letters (tenant_id, id desc);
create index dead_letters_open on dead_letters (tenant_id, endpoint_id, id desc) where status = 'OPEN';
create index dead_letters_receipt on dead_letters (receipt_id) where receipt_id is not null;
