-- Purpose: facts that the platform or the hub publishes: events, event_types, outbox.

-- Partitioned by day like the other log tables (see 0003_inbound.sql).
create table events (
  id uuid not null,
  tenant_id uuid not null,
  type text not null,
  -- API: published by the platform; HUB: by the hub itself.
  source text not null,
  -- The publisher's own id, when it gave one.
  external_id text,
  ordering_key text,
  content_type text not null default 'application/json',
  payload bytea,
  payload_size integer not null default 0,
  large_body_id uuid,
  correlation_id text,
  traceparent text,
  partition smallint,
  occurred_at timestamptz,
  created_at timestamptz not null,
  primary key (id, created_at)
) partition by range (created_at);

create index events_tenant on events (tenant_id, id desc);
create index events_type on events (tenant_id, type, id desc);
create index events_created on events using brin (created_at);

-- Known types with the schema of their payload; tenant_id null: of the platform and the hub.
create table event_types (
  id uuid primary key default hub_new_id(),
  tenant_id uuid references tenants (id),
  type varchar(100) not null,
  description text,
  schema jsonb check (jsonb_typeof(schema) in ('object', 'null')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index event_types_type on event_types (tenant_id, type) nulls not distinct;

-- Events of configuration changes, written in the transaction of the change and moved to the stream by a relay: an
-- event can then neither be lost nor be told about a change that was rolled back.
create table outbox (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  event_type text not null,
  ordering_key text,
  payload jsonb not null,
  correlation_id text,
  traceparent text,
  occurred_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);
