-- Purpose: what the delivery engine needs of attempts and open deliveries.

alter table webhook_deliveries
  -- EVENT: the first delivery of an event; REPLAY: somebody asked for it again; TEST: a test send.
  add column trigger text not null default 'EVENT',
  add column replay_id uuid;

-- One event may have 100,000 subscriptions: what is known of one delivery is looked up by event and subscription.
drop index webhook_deliveries_event;
create index webhook_deliveries_event on webhook_deliveries (event_id, subscription_id);

alter table open_deliveries
  -- RETRYING: failed at least once, due at next_retry_at; HELD: its subscription is paused or disabled; PARKED: behind an
  -- earlier delivery of the same ordering key; WAITING: a replay that was not tried yet.
  add column status text not null default 'RETRYING' check (status in ('RETRYING', 'HELD', 'PARKED', 'WAITING')),
  add column ordering_key text,
  add column error_code text,
  add column error_message text;

-- Statistics and pages of what is open; the next retry of a subscription is the first row.
create index open_deliveries_next on open_deliveries (subscription_id, status, next_retry_at);
create index open_deliveries_event on open_deliveries (event_id);
