-- Purpose: calls through the gateway: where their time went, calls that are done later, and errors that are told of.

-- Phases in milliseconds: a column for each would be read by nobody but people.
alter table api_request_logs add column timings jsonb;

-- A call that its caller does not wait for (Prefer: respond-async). Stored before the 202; the worker that holds the
-- lease makes it. `started_at` is set before the request goes out: a call that was under way when its worker died is
-- made again only where a repetition does no harm.
create table gateway_calls (
  id uuid primary key,
  tenant_id uuid not null references tenants (id),
  integration_id uuid not null references integrations (id),
  created_at timestamptz not null,
  actor jsonb not null,
  correlation_id text not null,
  method text not null,
  target text not null,
  headers jsonb not null,
  body bytea,
  options jsonb not null,
  status text not null check (status in ('QUEUED', 'RUNNING', 'DONE', 'FAILED')),
  -- Not before this time; while RUNNING the end of the worker's lease.
  due_at timestamptz not null,
  -- Given up at this time.
  expires_at timestamptz not null,
  started_at timestamptz,
  tries integer not null default 0,
  finished_at timestamptz,
  response_status integer,
  response_headers jsonb,
  response_body bytea,
  response_truncated boolean not null default false,
  error jsonb,
  log_id uuid,
  attempts integer not null default 0
);

-- What is to be done next.
create index gateway_calls_due on gateway_calls (due_at) where status in ('QUEUED', 'RUNNING');
-- What is forgotten.
create index gateway_calls_finished on gateway_calls (finished_at) where finished_at is not null;

grant select, insert on gateway_calls to hub_app;
grant select, insert, update, delete on gateway_calls to hub_system;

create policy tenant_rows on gateway_calls to hub_app
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy system_rows on gateway_calls to hub_system using (true) with check (true);
alter table gateway_calls enable row level security;
alter table gateway_calls force row level security;

-- Calls that failed finally, by integration and code: told of once a minute, with their number.
create table gateway_errors (
  tenant_id uuid not null references tenants (id),
  integration_id uuid not null references integrations (id),
  code text not null,
  kind text not null,
  message text not null,
  -- Since `told_at`.
  untold bigint not null,
  last_at timestamptz not null,
  told_at timestamptz,
  primary key (integration_id, code)
);

-- What is to be told.
create index gateway_errors_untold on gateway_errors (told_at) where untold > 0;

grant select, insert, update, delete on gateway_errors to hub_system;

create policy system_rows on gateway_errors to hub_system using (true) with check (true);
alter table gateway_errors enable row level security;
alter table gateway_errors force row level security;
