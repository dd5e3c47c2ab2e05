-- Purpose: one run that moves records between systems: sync_jobs (specification).
--
-- Departures: the counts are BIGINT; checkpoint (where a restarted worker goes on), cancel_requested_at, error_message and
-- updated_at added; created_by stays inside the tenant.

create table sync_jobs (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  integration_id uuid not null,
  job_type varchar(50) not null check (job_type in ('FULL_SYNC', 'INCREMENTAL', 'EXPORT', 'IMPORT')),
  entity_type varchar(50) not null,
  direction varchar(10) not null check (direction in ('INBOUND', 'OUTBOUND')),
  filters jsonb check (jsonb_typeof(filters) in ('object', 'null')),
  status varchar(20) not null default 'PENDING'
    check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
  started_at timestamptz,
  completed_at timestamptz,
  cancel_requested_at timestamptz,
  total_records bigint not null default 0,
  processed_records bigint not null default 0,
  success_count bigint not null default 0,
  error_count bigint not null default 0,
  error_message text,
  error_details jsonb check (jsonb_typeof(error_details) in ('array', 'null')),
  checkpoint jsonb,
  scheduled_by varchar(20) check (scheduled_by in ('MANUAL', 'SCHEDULED', 'TRIGGER')),
  scheduled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by uuid,
  unique (tenant_id, id),
  foreign key (tenant_id, integration_id) references integrations (tenant_id, id),
  foreign key (tenant_id, created_by) references users (tenant_id, id)
);

create index idx_sync_jobs_tenant on sync_jobs (tenant_id, id desc);
create index idx_sync_jobs_integration on sync_jobs (integration_id, id desc);
create index idx_sync_jobs_status on sync_jobs (status, scheduled_at) where status in ('PENDING', 'RUNNING');
