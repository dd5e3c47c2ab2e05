-- Purpose: what the record of a circuit lacks, and alerts for operators.

-- A threshold that is null is the environment's (CIRCUIT_FAILURE_THRESHOLD, CIRCUIT_TIMEOUT_SECONDS, three successes):
-- otherwise a row made by the first opening would keep today's values for ever.
-- changed_at is Redis' time of the state on record. A state is recorded once however many processes tell of it, and an
-- older one never replaces a newer one.
alter table circuit_breaker_state
  alter column failure_threshold drop not null,
  alter column success_threshold drop not null,
  alter column timeout_seconds drop not null,
  add column changed_at timestamptz;

-- Written in the transaction of what it tells of, so that neither can exist without the other, and sent afterwards by one
-- process, each channel for itself. tenant_id is null for what concerns the whole hub.
create table operator_alerts (
  id uuid primary key default hub_new_id(),
  tenant_id uuid references tenants (id),
  kind text not null,
  title text not null,
  data jsonb not null check (jsonb_typeof(data) = 'object'),
  created_at timestamptz not null default now(),
  webhook_sent_at timestamptz,
  email_sent_at timestamptz,
  attempts integer not null default 0,
  last_error text,
  -- Null when nothing is left to do.
  next_attempt_at timestamptz default now()
);

create index operator_alerts_due on operator_alerts (next_attempt_at) where next_attempt_at is not null;

-- Operators read alerts where they are sent to; no request reads or writes them.
grant select, insert, update, delete on operator_alerts to hub_system;
create policy system_rows on operator_alerts to hub_system using (true) with check (true);
alter table operator_alerts enable row level security;
alter table operator_alerts force row level security;
