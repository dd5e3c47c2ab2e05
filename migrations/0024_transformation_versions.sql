-- Purpose: templates with immutable versions, tests that may expect a refusal, and the pause of a
-- template that fails.

-- note: why it was made. restored_from: the version whose content a roll back took. sub_templates: codes of the templates
-- that its rules call, so that none of them is deleted under it.
alter table transformation_versions
  add column note text,
  add column restored_from integer,
  add column sub_templates text[] not null default '{}';

-- A version never changes: whoever named it gets what was tested.
revoke update on transformation_versions from hub_app, hub_system;

create index transformation_versions_sub_templates on transformation_versions using gin (sub_templates);

-- A test may expect a refusal: then the code of the fault. Without either it only has to pass.
alter table transformation_tests
  add column expected_code text,
  add constraint transformation_tests_one_expectation check (expected is null or expected_code is null);

-- Who uses a template is asked before it is deleted.
create index webhook_endpoints_template on webhook_endpoints (tenant_id, (transform_template ->> 'template'))
  where deleted_at is null and transform_template ? 'template';
create index webhook_subscriptions_template on webhook_subscriptions (tenant_id, (transform_template ->> 'template'))
  where deleted_at is null and transform_template ? 'template';

-- A version that fails one document after the other rests for one tenant: a system template that one tenant's documents
-- break serves the others on. The row goes when a document passes again, or when somebody resumes it.
create table transformation_pauses (
  tenant_id uuid not null references tenants (id),
  template_id uuid not null references transformation_templates (id),
  version integer not null check (version > 0),
  code text not null,
  message text not null,
  -- In a row, as the process that paused it saw them.
  failures integer not null,
  -- Pauses in a row: each is longer than the one before.
  pauses integer not null,
  paused_at timestamptz not null,
  paused_until timestamptz not null,
  primary key (tenant_id, template_id, version)
);

grant select, delete on transformation_pauses to hub_app;
grant select, insert, update, delete on transformation_pauses to hub_system;
create policy tenant_rows on transformation_pauses to hub_app
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy system_rows on transformation_pauses to hub_system using (true) with check (true);
alter table transformation_pauses enable row level security;
alter table transformation_pauses force row level security;
