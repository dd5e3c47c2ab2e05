-- Purpose: dead letters of events are published again through the outbox, in the transaction of the replay.

alter table outbox
  -- As in events: an event of the platform that was mended stays one of the platform.
  add column source text not null default 'HUB' check (source in ('API', 'HUB')),
  add column external_id text,
  add column schema_version integer;
