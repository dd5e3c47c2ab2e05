-- Purpose: progress of replay jobs: what became of the deliveries that were sent again.

alter table replay_jobs
  add column delivered bigint not null default 0,
  -- The number of rows is fixed when the job is made: what fails later is not caught up with.
  add column until_id uuid;
