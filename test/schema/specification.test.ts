import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectRoles, type Roles } from "./connect-roles.ts";

/** Columns of the specification's "Database Schema", as they stand there. */
const SPECIFICATION: Record<string, string> = {
  integration_providers: `
    id uuid not null default gen_random_uuid()
    code varchar(50) not null
    name varchar(200) not null
    category varchar(50) not null
    description text
    config_schema jsonb not null
    auth_type varchar(50) not null
    oauth_config jsonb
    base_url varchar(500)
    api_version varchar(20)
    documentation_url varchar(500)
    supports_webhooks boolean default false
    supports_batch boolean default false
    supports_realtime boolean default false
    rate_limit_requests integer
    rate_limit_window integer
    status varchar(20) default 'ACTIVE'
    created_at timestamptz default NOW()
    updated_at timestamptz default NOW()
  `,
  integrations: `
    id uuid not null default gen_random_uuid()
    tenant_id uuid not null
    provider_id uuid not null
    name varchar(200) not null
    description text
    config jsonb not null
    environment varchar(20) default 'PRODUCTION'
    auth_type varchar(50) not null
    api_key_encrypted text
    oauth_tokens jsonb
    oauth_expires_at timestamptz
    status varchar(20) default 'ACTIVE'
    last_successful_call timestamptz
    last_error text
    last_error_at timestamptz
    error_count integer default 0
    is_enabled boolean default true
    retry_enabled boolean default true
    max_retries integer default 3
    timeout_seconds integer default 30
    sync_frequency varchar(50)
    last_sync_at timestamptz
    next_sync_at timestamptz
    external_id varchar(100)
    source_system varchar(50)
    custom_fields jsonb default '{}'
    created_at timestamptz default NOW()
    updated_at timestamptz default NOW()
    created_by uuid
    updated_by uuid
  `,
  webhook_endpoints: `
    id uuid not null default gen_random_uuid()
    tenant_id uuid not null
    integration_id uuid
    endpoint_path varchar(200) not null
    secret_key text not null
    event_types jsonb not null default '[]'
    handler_type varchar(50) not null
    transform_template jsonb
    target_service varchar(50)
    ip_whitelist jsonb
    signature_header varchar(100)
    signature_algorithm varchar(50)
    status varchar(20) default 'ACTIVE'
    is_enabled boolean default true
    total_received integer default 0
    total_processed integer default 0
    total_failed integer default 0
    last_received_at timestamptz
    created_at timestamptz default NOW()
    updated_at timestamptz default NOW()
  `,
  webhook_subscriptions: `
    id uuid not null default gen_random_uuid()
    tenant_id uuid not null
    name varchar(200) not null
    description text
    url varchar(500) not null
    event_types jsonb not null default '[]'
    auth_type varchar(50) default 'NONE'
    auth_config jsonb
    secret_key text
    content_type varchar(50) default 'application/json'
    headers jsonb default '{}'
    transform_template jsonb
    retry_enabled boolean default true
    max_retries integer default 5
    retry_intervals jsonb default '[60, 300, 900, 3600, 7200]'
    status varchar(20) default 'ACTIVE'
    is_enabled boolean default true
    total_sent integer default 0
    total_delivered integer default 0
    total_failed integer default 0
    last_triggered_at timestamptz
    last_success_at timestamptz
    last_failure_at timestamptz
    consecutive_failures integer default 0
    created_at timestamptz default NOW()
    updated_at timestamptz default NOW()
    created_by uuid
  `,
  webhook_deliveries: `
    id uuid not null default gen_random_uuid()
    subscription_id uuid not null
    event_type varchar(100) not null
    event_id uuid not null
    payload jsonb not null
    attempt_number integer default 1
    request_url varchar(500) not null
    request_headers jsonb
    request_body text
    response_status integer
    response_headers jsonb
    response_body text
    response_time_ms integer
    status varchar(20) not null
    error_message text
    next_retry_at timestamptz
    created_at timestamptz default NOW()
  `,
  api_request_logs: `
    id uuid not null default gen_random_uuid()
    tenant_id uuid
    integration_id uuid
    direction varchar(10) not null
    method varchar(10) not null
    url varchar(1000) not null
    path varchar(500)
    query_params jsonb
    headers jsonb
    body text
    body_size integer
    response_status integer
    response_headers jsonb
    response_body text
    response_size integer
    response_time_ms integer
    correlation_id varchar(100)
    user_id uuid
    source_ip varchar(45)
    status varchar(20) not null
    error_message text
    retry_of uuid
    created_at timestamptz default NOW()
  `,
  transformation_templates: `
    id uuid not null default gen_random_uuid()
    tenant_id uuid
    code varchar(50) not null
    name varchar(200) not null
    description text
    source_format varchar(50) not null
    target_format varchar(50) not null
    mapping_rules jsonb not null
    validation_rules jsonb
    is_system boolean default false
    category varchar(50)
    version integer default 1
    is_active boolean default true
    created_at timestamptz default NOW()
    updated_at timestamptz default NOW()
  `,
  sync_jobs: `
    id uuid not null default gen_random_uuid()
    tenant_id uuid not null
    integration_id uuid not null
    job_type varchar(50) not null
    entity_type varchar(50) not null
    direction varchar(10) not null
    filters jsonb
    status varchar(20) default 'PENDING'
    started_at timestamptz
    completed_at timestamptz
    total_records integer default 0
    processed_records integer default 0
    success_count integer default 0
    error_count integer default 0
    error_details jsonb
    scheduled_by varchar(20)
    scheduled_at timestamptz
    created_at timestamptz default NOW()
    created_by uuid
  `,
  circuit_breaker_state: `
    id uuid not null default gen_random_uuid()
    integration_id uuid not null
    state varchar(20) default 'CLOSED'
    failure_count integer default 0
    success_count integer default 0
    failure_threshold integer default 5
    success_threshold integer default 3
    timeout_seconds integer default 60
    last_failure_at timestamptz
    last_success_at timestamptz
    opened_at timestamptz
    half_open_at timestamptz
    updated_at timestamptz default NOW()
  `,
  rate_limit_buckets: `
    id uuid not null default gen_random_uuid()
    integration_id uuid not null
    bucket_key varchar(200) not null
    window_start timestamptz not null
    window_end timestamptz not null
    request_count integer default 0
    max_requests integer not null
    is_exceeded boolean default false
  `,
};

/** Log tables: no length limits, so that one long value does not refuse a batch; the writers cut. */
const LOG_TABLES = new Set(["webhook_deliveries", "api_request_logs"]);

/** Types that differ, each explained in its migration. */
const OTHER_TYPES: Record<string, string> = {
  "webhook_deliveries.payload": "bytea",
  "webhook_deliveries.request_body": "bytea",
  "webhook_deliveries.response_body": "bytea",
  "api_request_logs.body": "bytea",
  "api_request_logs.response_body": "bytea",
};

/** Counters that only grow. */
const COUNTER = /^(total_.*|.*_count|.*_records)$/;

/** Columns whose "not null" differs: the payload is stored once, in the event. */
const NULLABLE = new Set(["webhook_deliveries.payload"]);

interface Column {
  type: string;
  notNull: boolean;
  defaultText: string | null;
}

let roles: Roles;
const columns = new Map<string, Column>();

beforeAll(async () => {
  roles = await connectRoles();
  const rows = await roles.system<(Column & { name: string })[]>`
    select c.relname || '.' || a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
      a.attnotnull as "notNull", pg_get_expr(d.adbin, d.adrelid) as "defaultText"
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attnum > 0 and not a.attisdropped`;
  for (const { name, ...column } of rows) columns.set(name, column);
});

afterAll(() => roles.stop());

function expectedType(table: string, column: string, type: string): string {
  const name = `${table}.${column}`;
  const other = OTHER_TYPES[name];
  if (other !== undefined) return other;
  if (type === "integer" && COUNTER.test(column)) return "bigint";
  if (type.startsWith("varchar"))
    return LOG_TABLES.has(table) ? "text" : type.replace("varchar", "character varying");
  return type === "timestamptz" ? "timestamp with time zone" : type;
}

/** The specification's default as Postgres prints it; ids and times of log rows are given by the writer. */
function expectedDefault(table: string, column: string, text: string | undefined): string | undefined {
  if (column === "id") return LOG_TABLES.has(table) ? undefined : "hub_new_id()";
  if (column === "created_at" && LOG_TABLES.has(table)) return undefined;
  return text?.toLowerCase();
}

const plain = (text: string | null): string | undefined => text?.replace(/::[a-z ]+$/, "").toLowerCase();

describe.each(Object.entries(SPECIFICATION))("%s", (table, text) => {
  const lines = text
    .trim()
    .split("\n")
    .map((line) => line.trim());

  test.each(lines)("it has the specification's column %s", (line) => {
    const [, column, type, notNull, defaultText] = /^(\w+) (\S+?)( not null)?(?: default (.*))?$/.exec(line)!;
    const name = `${table}.${column!}`;
    const found = columns.get(name);
    expect(found?.type).toBe(expectedType(table, column!, type!));
    if (notNull !== undefined) expect(found?.notNull).toBe(!NULLABLE.has(name));
    const wanted = expectedDefault(table, column!, defaultText);
    if (wanted !== undefined) expect(plain(found!.defaultText)).toBe(wanted);
  });
});

test("the tables beyond the specification exist", () => {
  const tables = new Set([...columns.keys()].map((name) => name.split(".")[0]!));
  const wanted =
    "tenants users api_keys audit_log idempotency_keys outbox tenant_keys webhook_receipts large_bodies " +
    "rejected_requests dead_letters events event_types open_deliveries replay_jobs services oauth_sessions " +
    "oauth_refresh_journal transformation_versions transformation_tests x12_partners x12_control_numbers " +
    "x12_interchanges";
  expect(wanted.split(" ").filter((table) => !tables.has(table))).toEqual([]);
});

test("rows that the specification ties to an integration carry their tenant", () => {
  for (const table of [
    "webhook_deliveries",
    "circuit_breaker_state",
    "rate_limit_buckets",
    "integration_providers",
  ]) {
    expect(columns.get(`${table}.tenant_id`)?.type).toBe("uuid");
  }
});
