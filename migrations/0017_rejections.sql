-- Purpose: samples of refused requests as they are kept: nothing of the request's content outside the vault, and how
-- often each endpoint refused for which cause.

-- Headers, query and body are shown redacted, but made so from the sealed request when a person looks: a secret in a
-- place that no rule knows would else stand in the clear in every backup.
alter table rejected_requests
  drop column headers,
  drop column query,
  drop column body;

-- Finer than the code of the answer, for example timestamp_stale of signature_invalid.
alter table rejected_requests rename column detail to cause;

-- complete, truncated (longer than is kept), not_read (refused before) or not_kept (LOG_REQUEST_BODIES=false): only a
-- complete body can be verified again.
alter table rejected_requests add column body_state text not null default 'not_read';

-- Every refusal is counted here, also those of which no sample is kept. Without foreign keys: the writer adds many
-- endpoints in one statement, which must not fail over one that was just deleted.
create table rejection_counts (
  endpoint_id uuid not null,
  tenant_id uuid not null,
  cause text not null,
  total bigint not null,
  last_at timestamptz not null,
  primary key (endpoint_id, cause)
);

create index rejection_counts_tenant on rejection_counts (tenant_id, endpoint_id);

grant select on rejection_counts to hub_app;
grant select, insert, update, delete on rejection_counts to hub_system;

alter table rejection_counts enable row level security;
alter table rejection_counts force row level security;

create policy tenant_rows on rejection_counts to hub_app
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy system_rows on rejection_counts to hub_system using (true) with check (true);
