-- Purpose: versions of a provider's manifest, so that an integration keeps working when its provider is described anew.

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
