-- Purpose: mappings between formats: transformation_templates (specification), transformation_versions,
-- transformation_tests, x12_partners, x12_control_numbers.

-- Departures: created_by and deleted_at added; a code is unique with its tenant among what is not deleted. The row holds
-- the newest version; all versions stand in transformation_versions, so that users of an older one keep it.
create table transformation_templates (
  id uuid primary key default hub_new_id(),
  tenant_id uuid references tenants (id),
  code varchar(50) not null,
  name varchar(200) not null,
  description text,
  source_format varchar(50) not null check (source_format in ('JSON', 'XML', 'CSV', 'X12')),
  target_format varchar(50) not null check (target_format in ('JSON', 'XML', 'CSV', 'X12')),
  mapping_rules jsonb not null,
  validation_rules jsonb,
  is_system boolean not null default false,
  category varchar(50),
  version integer not null default 1 check (version > 0),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by text,
  deleted_at timestamptz,
  check (is_system = (tenant_id is null))
);

create unique index transformation_templates_code
  on transformation_templates (tenant_id, code) nulls not distinct where deleted_at is null;
create index idx_transform_tenant on transformation_templates (tenant_id, id desc) where deleted_at is null;

create table transformation_versions (
  id uuid primary key default hub_new_id(),
  tenant_id uuid references tenants (id),
  template_id uuid not null references transformation_templates (id),
  version integer not null check (version > 0),
  source_format varchar(50) not null,
  target_format varchar(50) not null,
  mapping_rules jsonb not null,
  validation_rules jsonb,
  created_by text,
  created_at timestamptz not null default now(),
  unique (template_id, version)
);

-- Example inputs with the output they must give; run before a version becomes active.
create table transformation_tests (
  id uuid primary key default hub_new_id(),
  tenant_id uuid references tenants (id),
  template_id uuid not null references transformation_templates (id),
  name varchar(200) not null,
  input bytea not null,
  expected bytea,
  last_passed boolean,
  last_message text,
  last_run_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (template_id, name)
);

-- How one trading partner writes X12: envelope ids, version, delimiters.
create table x12_partners (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  name varchar(200) not null,
  isa_qualifier varchar(2) not null,
  isa_id varchar(15) not null,
  own_isa_qualifier varchar(2) not null,
  own_isa_id varchar(15) not null,
  gs_id varchar(15) not null,
  own_gs_id varchar(15) not null,
  version varchar(12) not null default '004010',
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  unique (tenant_id, id)
);

create unique index x12_partners_envelope
  on x12_partners (tenant_id, isa_qualifier, isa_id, own_isa_qualifier, own_isa_id) where deleted_at is null;

-- Last control number sent, per partner and envelope level; nine digits, then it begins anew.
create table x12_control_numbers (
  tenant_id uuid not null references tenants (id),
  partner_id uuid not null,
  envelope text not null check (envelope in ('ISA', 'GS', 'ST')),
  last_number bigint not null default 0 check (last_number between 0 and 999999999),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, partner_id, envelope),
  foreign key (tenant_id, partner_id) references x12_partners (tenant_id, id)
);
