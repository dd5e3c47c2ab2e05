-- Purpose: what running the foundation showed to be missing: indexes, rights and columns.

-- Receipts whose next try is due, in the order of their time: the sweeper reads what is overdue and not all that waits.
-- Rows in another state, which nearly all are, cost nothing here.
create index webhook_receipts_due on webhook_receipts (next_retry_at, id) where status = 'RETRYING';

-- Log rows of one endpoint. Ids rise with time, so that inserts touch one page an endpoint.
create index idx_api_logs_endpoint on api_request_logs (endpoint_id, id desc) where endpoint_id is not null;

-- Readiness compares what ran with the files of its own version. The schema holds the migration runner's table only.
grant usage on schema hub_meta to hub_system;
grant select on hub_meta.migrations to hub_system;

-- A dead letter outlives its receipt; replaying it then makes the receipt anew from the dead letter's own copy.
grant insert on webhook_receipts to hub_app;

-- An answer is written in the transaction of its work, so there is no row "in progress", and its id holds its time.
alter table idempotency_keys drop column state, drop column created_at;
