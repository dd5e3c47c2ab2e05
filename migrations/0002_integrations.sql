-- Purpose: outside systems and a tenant's use of them: integration_providers, integrations, circuit_breaker_state,
-- rate_limit_buckets (specification, "Database Schema") and oauth_sessions, oauth_refresh_journal.

-- Departures from the specification:
--   * tenant_id added, null for a built-in provider: a tenant may describe its own (custom integration);
--   * code is unique with the tenant instead of alone, so that two tenants may use the same code for their own;
--   * manifest added: what a provider really does (two-step tokens, paging, calls) is data and fits none of the columns;
--   * auth_type and category carry no check: providers exist whose log-in is none of the four named ones.
create table integration_providers (
  id uuid primary key default hub_new_id(),
  tenant_id uuid references tenants (id),
  code varchar(50) not null,
  name varchar(200) not null,
  category varchar(50) not null,
  description text,
  config_schema jsonb not null check (jsonb_typeof(config_schema) = 'object'),
  auth_type varchar(50) not null,
  oauth_config jsonb,
  base_url varchar(500),
  api_version varchar(20),
  documentation_url varchar(500),
  supports_webhooks boolean not null default false,
  supports_batch boolean not null default false,
  supports_realtime boolean not null default false,
  rate_limit_requests integer check (rate_limit_requests > 0),
  rate_limit_window integer check (rate_limit_window > 0),
  status varchar(20) not null default 'ACTIVE' check (status in ('ACTIVE', 'DEPRECATED', 'COMING_SOON')),
  manifest jsonb not null default '{}' check (jsonb_typeof(manifest) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);

create unique index integration_providers_code
  on integration_providers (tenant_id, code) nulls not distinct where deleted_at is null;

-- Departures: UNIQUE(tenant_id, provider_id, environment) ignores deleted rows, so that an integration can be made anew;
-- error_count is BIGINT, because it only grows; created_by and updated_by stay inside the tenant. The specification's
-- index on tenant_id alone is the head of two others.
create table integrations (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  provider_id uuid not null references integration_providers (id),
  name varchar(200) not null,
  description text,
  -- Fields marked secret by the provider's config_schema hold sealed text.
  config jsonb not null check (jsonb_typeof(config) = 'object'),
  environment varchar(20) not null default 'PRODUCTION' check (environment in ('PRODUCTION', 'SANDBOX', 'TEST')),
  auth_type varchar(50) not null,
  -- Sealed by the vault.
  api_key_encrypted text,
  -- Sealed values by name (accessToken, refreshToken).
  oauth_tokens jsonb,
  oauth_expires_at timestamptz,
  status varchar(20) not null default 'ACTIVE' check (status in ('ACTIVE', 'PAUSED', 'ERROR', 'PENDING_AUTH')),
  last_successful_call timestamptz,
  last_error text,
  last_error_at timestamptz,
  error_count bigint not null default 0,
  is_enabled boolean not null default true,
  retry_enabled boolean not null default true,
  max_retries integer not null default 3 check (max_retries >= 0),
  timeout_seconds integer not null default 30 check (timeout_seconds > 0),
  sync_frequency varchar(50) check (sync_frequency in ('REALTIME', 'HOURLY', 'DAILY', 'MANUAL')),
  last_sync_at timestamptz,
  next_sync_at timestamptz,
  external_id varchar(100),
  source_system varchar(50),
  custom_fields jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by uuid,
  updated_by uuid,
  deleted_at timestamptz,
  unique (tenant_id, id),
  foreign key (tenant_id, created_by) references users (tenant_id, id),
  foreign key (tenant_id, updated_by) references users (tenant_id, id)
);

create unique index integrations_environment
  on integrations (tenant_id, provider_id, environment) where deleted_at is null;
create index idx_integrations_tenant on integrations (tenant_id, id desc) where deleted_at is null;
create index idx_integrations_provider on integrations (provider_id);
create index idx_integrations_status on integrations (tenant_id, status);
-- The token refresher asks for what expires soon, over all tenants.
create index integrations_oauth_expiry on integrations (oauth_expires_at)
  where oauth_expires_at is not null and deleted_at is null;

-- Departures: tenant_id added for row-level security; counts are BIGINT. Redis holds the live state; this is its record.
create table circuit_breaker_state (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  integration_id uuid not null unique,
  state varchar(20) not null default 'CLOSED' check (state in ('CLOSED', 'OPEN', 'HALF_OPEN')),
  failure_count bigint not null default 0,
  success_count bigint not null default 0,
  failure_threshold integer not null default 5 check (failure_threshold > 0),
  success_threshold integer not null default 3 check (success_threshold > 0),
  timeout_seconds integer not null default 60 check (timeout_seconds > 0),
  last_failure_at timestamptz,
  last_success_at timestamptz,
  opened_at timestamptz,
  half_open_at timestamptz,
  updated_at timestamptz not null default now(),
  foreign key (tenant_id, integration_id) references integrations (tenant_id, id)
);

-- Departures: tenant_id added for row-level security; request_count is BIGINT.
create table rate_limit_buckets (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  integration_id uuid not null,
  bucket_key varchar(200) not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  request_count bigint not null default 0,
  max_requests integer not null,
  is_exceeded boolean not null default false,
  unique (integration_id, bucket_key, window_start),
  foreign key (tenant_id, integration_id) references integrations (tenant_id, id)
);

create index idx_rate_limit_integration on rate_limit_buckets (integration_id, window_end);

-- One authorisation in a browser: from `authorize` to the provider's callback. Ticket and state are stored as hashes,
-- so that a reader of the table cannot finish another's session.
create table oauth_sessions (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  integration_id uuid not null,
  ticket_hash text not null unique,
  state_hash text not null unique,
  -- PKCE verifier, sealed.
  verifier_sealed text,
  redirect_uri text not null,
  scopes text[] not null default '{}',
  actor_type text not null,
  actor_id text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  foreign key (tenant_id, integration_id) references integrations (tenant_id, id)
);

create index oauth_sessions_expiry on oauth_sessions (expires_at);

-- A refresh token may be usable once: the answer is journalled, sealed, before it replaces the old tokens, so that a
-- process killed in between does not lose the connection.
create table oauth_refresh_journal (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  integration_id uuid not null,
  state text not null default 'STARTED' check (state in ('STARTED', 'ANSWERED', 'STORED', 'FAILED')),
  tokens_sealed text,
  oauth_expires_at timestamptz,
  error_code text,
  error_message text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (tenant_id, integration_id) references integrations (tenant_id, id)
);

create index oauth_refresh_journal_integration on oauth_refresh_journal (tenant_id, integration_id, id desc);
create index oauth_refresh_journal_open on oauth_refresh_journal (updated_at) where state in ('STARTED', 'ANSWERED');
