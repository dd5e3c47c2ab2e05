-- Purpose: every request in and out: api_request_logs (specification).
--
-- Departures from the specification:
--   * partitioned by day: key (id, created_at), no foreign keys (retry_of points across days), text without length limits;
--   * tenant_id may not be null: a request without a known tenant is counted, not logged;
--   * bodies are BYTEA: they need not be valid UTF-8, and a NUL in TEXT would refuse the whole batch;
--   * endpoint_id and receipt_id added: the body of an inbound request stands once, in its receipt;
--   * error_code, attempt_number and traceparent added;
--   * the indexes lead with the tenant and order by id, which is the order of created_at.

create table api_request_logs (
  id uuid not null,
  tenant_id uuid not null,
  integration_id uuid,
  endpoint_id uuid,
  receipt_id uuid,
  -- INBOUND, OUTBOUND
  direction text not null,
  method text not null,
  url text not null,
  path text,
  query_params jsonb,
  headers jsonb,
  body bytea,
  body_size integer,
  response_status integer,
  response_headers jsonb,
  response_body bytea,
  response_size integer,
  response_time_ms integer,
  correlation_id text,
  user_id uuid,
  source_ip text,
  -- SUCCESS, CLIENT_ERROR, SERVER_ERROR, TIMEOUT
  status text not null,
  error_code text,
  error_message text,
  attempt_number integer,
  retry_of uuid,
  traceparent text,
  created_at timestamptz not null,
  primary key (id, created_at)
) partition by range (created_at);

create index idx_api_logs_tenant on api_request_logs (tenant_id, id desc);
create index idx_api_logs_integration on api_request_logs (integration_id, id desc) where integration_id is not null;
create index idx_api_logs_correlation on api_request_logs (tenant_id, correlation_id) where correlation_id is not null;
-- Failures are what is searched for by status; successes are nearly all rows and found by any other index.
create index idx_api_logs_status on api_request_logs (tenant_id, status, id desc) where status <> 'SUCCESS';
create index api_request_logs_created on api_request_logs using brin (created_at);
