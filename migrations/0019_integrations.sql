-- Purpose: what providers, integrations and the vault's key rotation need besides the specification's columns.

alter table integrations
  -- Raised with every change of what calls depend on; a cache or a caller tells by it whether it is up to date.
  add column config_version bigint not null default 1,
  -- Raised with every change of oauth_tokens: two refreshes at once are told apart by it (compare-and-set).
  add column oauth_version bigint not null default 0,
  -- Result of the latest connection test, redacted: what was asked, what came back, which field is to blame.
  add column last_test jsonb,
  add column last_test_at timestamptz,
  -- Parts of the provider's manifest that nobody could verify, as they are for this tenant: { JSON pointer: value }.
  add column overrides jsonb not null default '{}' check (jsonb_typeof(overrides) = 'object'),
  -- When a call last went out, by traffic or test: who has traffic is not verified.
  add column last_call_at timestamptz;

-- Null: not set by the tenant, so that the provider's own time and the hub's defaults count.
alter table integrations alter column timeout_seconds drop not null, alter column max_retries drop not null;

comment on column integrations.config is
  'Open fields as they are; a secret one is { "sealed", "last4" }, sealed for the path of its name.';
comment on column integrations.api_key_encrypted is
  'The secret field "apiKey", sealed; config then holds its last four characters only.';

-- The leader asks every few seconds which connections nobody has heard of for five minutes, over all tenants.
create index integrations_idle on integrations (last_call_at nulls first)
  where status in ('ACTIVE', 'ERROR') and deleted_at is null;

-- Background work of the vault, one row a run. It goes on where `position` says after a crash, in any process.
create table vault_jobs (
  id uuid primary key,
  -- REWRAP: every data key under the active key of the key ring. REENCRYPT: every secret of a tenant under a new data key.
  kind text not null check (kind in ('REWRAP', 'REENCRYPT')),
  -- Null for REWRAP, which goes over all tenants.
  tenant_id uuid references tenants (id),
  -- Id of the key under which everything is to stand: of the key ring for REWRAP, the new data key for REENCRYPT.
  target text not null,
  -- FINAL is a second sweep, once no process can still seal with the retired key.
  phase text not null default 'SWEEP' check (phase in ('SWEEP', 'FINAL', 'DONE')),
  -- Place in the list of sealed columns ("table.column") and the last row done there.
  place text,
  last_id uuid,
  -- Secrets or keys that were written anew, and those that could not be opened.
  renewed bigint not null default 0,
  unreadable bigint not null default 0,
  -- Nothing is done before this time.
  due_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz,
  check ((kind = 'REWRAP') = (tenant_id is null))
);

-- One run of a kind at a time, for a tenant.
create unique index vault_jobs_open on vault_jobs (kind, tenant_id) nulls not distinct where phase <> 'DONE';

-- Only the hub itself works here.
grant select, insert, update, delete on vault_jobs to hub_system;

alter table vault_jobs enable row level security;
alter table vault_jobs force row level security;

create policy tenant_rows on vault_jobs to hub_app
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy system_rows on vault_jobs to hub_system using (true) with check (true);

-- Re-encryption walks through a tenant's rows in the order of their ids.
create index idempotency_keys_tenant on idempotency_keys (tenant_id, id);
create index oauth_sessions_tenant on oauth_sessions (tenant_id, id);
create index oauth_refresh_journal_tenant on oauth_refresh_journal (tenant_id, id);

-- Versions of a provider's manifest, so that an integration keeps working when its provider is described anew.

alter table integration_providers
  -- Number of the manifest that stands in the row; the first one is 1.
  add column version integer not null default 1 check (version > 0);

-- The manifests that later ones replaced and that integrations may still use.
create table integration_provider_versions (
  provider_id uuid not null references integration_providers (id),
  version integer not null check (version > 0),
  -- Null for a built-in provider, as in integration_providers.
  tenant_id uuid references tenants (id),
  manifest jsonb not null check (jsonb_typeof(manifest) = 'object'),
  created_at timestamptz not null default now(),
  primary key (provider_id, version)
);

-- Null: the provider's newest manifest. Set when a newer one asks for what the integration does not have; a change of the
-- integration's configuration takes it to the newest again.
alter table integrations add column provider_version integer;

grant select, insert, update on integration_provider_versions to hub_app;
grant select, insert, update, delete on integration_provider_versions to hub_system;

alter table integration_provider_versions enable row level security;
alter table integration_provider_versions force row level security;

create policy tenant_rows on integration_provider_versions to hub_app
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy platform_rows on integration_provider_versions for select to hub_app using (tenant_id is null);
create policy system_rows on integration_provider_versions to hub_system using (true) with check (true);
