-- Purpose: what the two roles of the running hub may do, and the second wall behind every `where tenant_id = …`.
--
-- hub_app serves requests: it sees the rows of the tenant in the setting `app.tenant`, which the transaction makes, and
-- none without it. hub_system writes batches, fills caches, sweeps and schedules over all tenants. Neither owns anything,
-- may run DDL or TRUNCATE (which row-level security does not cover), or become the other. Rights are granted on the
-- parents only: a partition read by its own name would escape the parent's policies. The roles are made by the
-- migration runner before this file runs, because roles belong to the server and not to a database.

revoke create on schema public from public;
grant usage on schema public to hub_app, hub_system;

grant execute on function hub_create_day_partitions(integer, integer), hub_drop_day_partitions(integer) to hub_system;

-- Configuration: deleted softly, so DELETE is not granted.
grant select, insert, update on
  tenants, users, api_keys, integration_providers, integrations, circuit_breaker_state, rate_limit_buckets,
  webhook_endpoints, webhook_subscriptions, transformation_templates, dead_letters, replay_jobs, sync_jobs, x12_partners
to hub_app;

-- Rows that come and go.
grant select, insert, update, delete on
  services, event_types, idempotency_keys, oauth_sessions, oauth_refresh_journal, open_deliveries,
  transformation_versions, transformation_tests, x12_control_numbers, large_bodies
to hub_app;

-- Written in batches by hub_system; a request may only mark a receipt or a rejection (replay, accept).
grant select, update on webhook_receipts, rejected_requests to hub_app;
grant select on api_request_logs, webhook_deliveries, events to hub_app;
grant select, insert on outbox, audit_log to hub_app;
-- Wrapped by the key ring, which is not in the database. Made by hub_system in a transaction of its own: a data key that
-- rolled back with its first user would leave later secrets unreadable.
grant select on tenant_keys to hub_app;

grant select, insert, update, delete on
  tenants, users, api_keys, idempotency_keys, tenant_keys,
  integration_providers, integrations, circuit_breaker_state, rate_limit_buckets, oauth_sessions, oauth_refresh_journal,
  services, webhook_endpoints, webhook_receipts, large_bodies, rejected_requests, dead_letters,
  events, event_types, outbox, webhook_subscriptions, webhook_deliveries, open_deliveries, replay_jobs,
  transformation_templates, transformation_versions, transformation_tests, x12_partners, x12_control_numbers,
  sync_jobs, api_request_logs
to hub_system;
grant select, insert on audit_log to hub_system;

-- nullif: after its first use in a session the setting is '' instead of null, and ''::uuid would raise an error.
do $$
  declare
    own constant text := 'nullif(current_setting(''app.tenant'', true), '''')::uuid';
    name text;
  begin
    -- Rows of exactly one tenant.
    foreach name in array array[
      'users', 'api_keys', 'audit_log', 'idempotency_keys', 'integrations', 'circuit_breaker_state',
      'rate_limit_buckets', 'oauth_sessions', 'oauth_refresh_journal', 'webhook_endpoints', 'webhook_receipts',
      'large_bodies', 'rejected_requests', 'dead_letters', 'events', 'outbox', 'webhook_subscriptions',
      'webhook_deliveries', 'open_deliveries', 'replay_jobs', 'x12_partners', 'x12_control_numbers', 'sync_jobs',
      'api_request_logs', 'tenant_keys'
    ] loop
      execute format('create policy tenant_rows on %I to hub_app using (tenant_id = %s) with check (tenant_id = %s)',
        name, own, own);
    end loop;

    -- tenant_id null belongs to the platform: every tenant reads it, none changes it.
    foreach name in array array[
      'integration_providers', 'services', 'event_types', 'transformation_templates', 'transformation_versions',
      'transformation_tests'
    ] loop
      execute format('create policy tenant_rows on %I to hub_app using (tenant_id = %s) with check (tenant_id = %s)',
        name, own, own);
      execute format('create policy platform_rows on %I for select to hub_app using (tenant_id is null)', name);
    end loop;

    execute format('create policy tenant_rows on tenants to hub_app using (id = %s) with check (id = %s)', own, own);

    foreach name in array array[
      'tenants', 'users', 'api_keys', 'audit_log', 'idempotency_keys', 'tenant_keys', 'integration_providers',
      'integrations', 'circuit_breaker_state', 'rate_limit_buckets', 'oauth_sessions', 'oauth_refresh_journal',
      'services', 'webhook_endpoints', 'webhook_receipts', 'large_bodies', 'rejected_requests', 'dead_letters', 'events',
      'event_types', 'outbox', 'webhook_subscriptions', 'webhook_deliveries', 'open_deliveries', 'replay_jobs',
      'transformation_templates', 'transformation_versions', 'transformation_tests', 'x12_partners',
      'x12_control_numbers', 'sync_jobs', 'api_request_logs'
    ] loop
      execute format('create policy system_rows on %I to hub_system using (true) with check (true)', name);
      execute format('alter table %I enable row level security', name);
      execute format('alter table %I force row level security', name);
    end loop;
  end
$$;
