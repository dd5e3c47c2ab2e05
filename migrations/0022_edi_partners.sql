-- Purpose: interchanges that were read, so that one that comes again is recognised (TA105 025).

-- One row for sender, receiver and control number (ISA05-08 and ISA13). `source_id` is the receipt or the like that
-- brought it: the same source read again, after a crash between commit and acknowledgement, is no duplicate.
-- Rows live as long as the caller's window, because partners begin their numbers anew.
create table x12_interchanges (
  tenant_id uuid not null references tenants (id),
  sender_qualifier text not null,
  sender_id text not null,
  receiver_qualifier text not null,
  receiver_id text not null,
  control_number text not null,
  source_id uuid not null,
  received_at timestamptz not null,
  primary key (tenant_id, sender_qualifier, sender_id, receiver_qualifier, receiver_id, control_number)
);

-- What is over the window is found in the order of its age.
create index x12_interchanges_age on x12_interchanges (tenant_id, received_at);

grant select, insert, update, delete on x12_interchanges to hub_app, hub_system;

create policy tenant_rows on x12_interchanges to hub_app
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy system_rows on x12_interchanges to hub_system using (true) with check (true);
alter table x12_interchanges enable row level security;
alter table x12_interchanges force row level security;
