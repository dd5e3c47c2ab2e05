-- Purpose: how far the fan-out of an event has come, so that one with 100,000 subscriptions goes on where it stopped.

alter table events
  -- Subscriptions that the event was given to so far; null: not known.
  add column matched integer,
  -- Last subscription of the last chunk that is enlisted; null: the fan-out is complete or needs one chunk only.
  add column fan_out_cursor uuid;
