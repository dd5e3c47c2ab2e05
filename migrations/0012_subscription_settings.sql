-- Purpose: what a subscription needs beyond the specification's columns: filter, order, signature, and a mark by which
-- processes learn what changed.

alter table webhook_subscriptions
  -- Condition on the event; null: every event of the types.
  add column filter jsonb check (jsonb_typeof(filter) in ('object', 'null')),
  -- NONE: no order. KEY: deliveries of one orderingKey one after the other.
  add column ordering_mode text not null default 'NONE' check (ordering_mode in ('NONE', 'KEY')),
  -- How deliveries are signed; null: Standard Webhooks.
  add column signature_form jsonb check (jsonb_typeof(signature_form) in ('object', 'null')),
  -- Public half of an Ed25519 signing key (`whpk_…`): receivers verify with it.
  add column public_key text,
  -- When the settings, not the counters, changed last: processes read what is newer than their copy. The transaction's
  -- own time would lie before its commit by as long as it runs, so the reader asks for a minute more than it needs.
  add column changed_at timestamptz not null default clock_timestamp();

create index webhook_subscriptions_changed on webhook_subscriptions (tenant_id, changed_at);
