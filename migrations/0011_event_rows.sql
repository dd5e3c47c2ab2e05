-- Purpose: events of publishers: their ids, their order in lists, versions of their types' schemas.

-- A publisher's ids are unique within its tenant only, and two tenants may choose the same one; the key begins with the
-- tenant, so that one tenant's event can never stand in the way of another's. It also serves what events_tenant served.
alter table events drop constraint events_pkey;
alter table events add primary key (tenant_id, id, created_at);
drop index events_tenant;

-- Lists go by the time of acceptance, because a publisher's id tells no time.
create index events_accepted on events (tenant_id, created_at desc, id desc);
create index events_type_accepted on events (tenant_id, type, created_at desc, id desc);
drop index events_type;

-- Schemas of a type's payload by version, each with a sample. A version is never changed once it is there: events name
-- the version that they were checked against. tenant_id as in event_types.
create table event_type_versions (
  id uuid primary key default hub_new_id(),
  tenant_id uuid references tenants (id),
  type varchar(100) not null,
  version integer not null check (version > 0),
  schema jsonb check (jsonb_typeof(schema) in ('object', 'null')),
  sample jsonb,
  created_at timestamptz not null default now()
);

create unique index event_type_versions_version on event_type_versions (tenant_id, type, version) nulls not distinct;

alter table events add column schema_version integer;

-- Its schemas live in event_type_versions from here on.
alter table event_types drop column schema;

grant select, insert on event_type_versions to hub_app;
grant select, insert, update, delete on event_type_versions to hub_system;

create policy tenant_rows on event_type_versions to hub_app
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy platform_rows on event_type_versions for select to hub_app using (tenant_id is null);
create policy system_rows on event_type_versions to hub_system using (true) with check (true);
alter table event_type_versions enable row level security;
alter table event_type_versions force row level security;
