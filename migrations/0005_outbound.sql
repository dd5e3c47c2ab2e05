-- Purpose: webhooks to subscribers: webhook_subscriptions, webhook_deliveries (specification), open_deliveries,
-- replay_jobs.

-- Departures from the specification:
--   * url, auth and signing secrets are as named, secret_key and secret fields of auth_config hold sealed text;
--   * previous_secrets, secret_last4, disabled_reason, rate_limit, concurrency_max, deleted_at added;
--   * the totals are BIGINT.
create table webhook_subscriptions (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  name varchar(200) not null,
  description text,
  url varchar(500) not null,
  event_types jsonb not null default '[]' check (jsonb_typeof(event_types) = 'array'),
  auth_type varchar(50) not null default 'NONE' check (auth_type in ('NONE', 'BASIC', 'API_KEY', 'OAUTH2', 'HMAC')),
  auth_config jsonb check (jsonb_typeof(auth_config) in ('object', 'null')),
  secret_key text,
  secret_last4 text,
  previous_secrets jsonb not null default '[]' check (jsonb_typeof(previous_secrets) = 'array'),
  content_type varchar(50) not null default 'application/json',
  headers jsonb not null default '{}' check (jsonb_typeof(headers) = 'object'),
  transform_template jsonb,
  retry_enabled boolean not null default true,
  max_retries integer not null default 5 check (max_retries >= 0),
  retry_intervals jsonb not null default '[60, 300, 900, 3600, 7200]' check (jsonb_typeof(retry_intervals) = 'array'),
  -- Deliveries in flight at once, and in a window of time; null: the hub's own bounds.
  concurrency_max integer check (concurrency_max > 0),
  rate_limit jsonb check (jsonb_typeof(rate_limit) in ('object', 'null')),
  status varchar(20) not null default 'ACTIVE' check (status in ('ACTIVE', 'PAUSED', 'FAILED')),
  disabled_reason text,
  is_enabled boolean not null default true,
  total_sent bigint not null default 0,
  total_delivered bigint not null default 0,
  total_failed bigint not null default 0,
  last_triggered_at timestamptz,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  consecutive_failures integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by uuid,
  deleted_at timestamptz,
  unique (tenant_id, id),
  foreign key (tenant_id, created_by) references users (tenant_id, id)
);

create index idx_webhook_subs_tenant on webhook_subscriptions (tenant_id, id desc) where deleted_at is null;
create index idx_webhook_subs_events on webhook_subscriptions using gin (event_types);

-- One row an attempt. Departures from the specification:
--   * partitioned by day: key (id, created_at), no foreign keys, text without length limits;
--   * tenant_id and delivery_id added: row-level security, and what the attempts of one delivery have in common;
--   * payload may be null: then it is the one of the events row under event_id and event_created_at, stored once;
--   * payload and bodies are BYTEA instead of JSONB and TEXT: they need not be JSON nor valid UTF-8, and a NUL or a lone
--     surrogate would refuse the whole batch;
--   * the index on (status, next_retry_at) is left out: what is due stands in open_deliveries.
create table webhook_deliveries (
  id uuid not null,
  tenant_id uuid not null,
  subscription_id uuid not null,
  delivery_id uuid,
  event_type text not null,
  event_id uuid not null,
  event_created_at timestamptz,
  payload bytea,
  attempt_number integer not null default 1,
  request_url text not null,
  request_headers jsonb,
  request_body bytea,
  response_status integer,
  response_headers jsonb,
  response_body bytea,
  response_time_ms integer,
  -- PENDING, DELIVERED, FAILED, RETRYING
  status text not null,
  error_code text,
  error_message text,
  next_retry_at timestamptz,
  correlation_id text,
  traceparent text,
  created_at timestamptz not null,
  primary key (id, created_at)
) partition by range (created_at);

create index webhook_deliveries_tenant on webhook_deliveries (tenant_id, id desc);
create index idx_webhook_del_subscription on webhook_deliveries (subscription_id, id desc);
create index webhook_deliveries_event on webhook_deliveries (event_id);
create index idx_webhook_del_created on webhook_deliveries using brin (created_at);

-- Deliveries that have not ended: what Redis is rebuilt from when it lost its data. A row leaves with its last attempt.
create table open_deliveries (
  id uuid primary key,
  tenant_id uuid not null references tenants (id),
  subscription_id uuid not null,
  event_id uuid not null,
  event_created_at timestamptz not null,
  event_type text not null,
  attempt_count integer not null default 0,
  next_retry_at timestamptz,
  partition smallint,
  replay_id uuid,
  created_at timestamptz not null,
  updated_at timestamptz not null default now(),
  foreign key (tenant_id, subscription_id) references webhook_subscriptions (tenant_id, id)
);

create index open_deliveries_subscription on open_deliveries (tenant_id, subscription_id, id);
create index open_deliveries_due on open_deliveries (next_retry_at) where next_retry_at is not null;

create table replay_jobs (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  subscription_id uuid not null,
  delivery_id uuid,
  filter jsonb,
  rate_per_second integer check (rate_per_second > 0),
  status text not null default 'PENDING' check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
  matched bigint not null default 0,
  replayed bigint not null default 0,
  failed bigint not null default 0,
  -- Last delivery id that was replayed: where a restarted worker goes on.
  cursor_id uuid,
  error_message text,
  created_by text,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (tenant_id, subscription_id) references webhook_subscriptions (tenant_id, id)
);

create index replay_jobs_tenant on replay_jobs (tenant_id, id desc);
create index replay_jobs_open on replay_jobs (status, id) where status in ('PENDING', 'RUNNING');
