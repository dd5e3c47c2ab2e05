-- Purpose: what was sent to trading partners in X12, so that a document is written once and its answer finds it.

-- One row for one interchange. The id is made from what the document answers or says (receipt, delivery), so that the same
-- work done again, after a crash or for a retry, finds the bytes that were written and takes no new control numbers.
create table x12_documents (
  id uuid primary key,
  tenant_id uuid not null references tenants (id),
  partner_id uuid not null,
  -- ACKNOWLEDGMENT answers an interchange; DOCUMENT says something of one's own.
  kind text not null check (kind in ('ACKNOWLEDGMENT', 'DOCUMENT')),
  -- ST01 of its sets; none in an interchange that holds only a TA1.
  set_codes text[] not null,
  interchange_control_number integer not null,
  -- GS01 and GS06, null without a group: what a 997 names.
  functional_id text,
  group_control_number integer,
  body bytea not null,
  -- WRITTEN until the partner answers: ACCEPTED, ACCEPTED_WITH_ERRORS, PARTIALLY_ACCEPTED, REJECTED.
  status text not null default 'WRITTEN'
    check (status in ('WRITTEN', 'ACCEPTED', 'ACCEPTED_WITH_ERRORS', 'PARTIALLY_ACCEPTED', 'REJECTED')),
  answered_at timestamptz,
  -- Codes and places of what the partner refused.
  answer jsonb,
  created_at timestamptz not null,
  foreign key (tenant_id, partner_id) references x12_partners (tenant_id, id)
);

create index x12_documents_list on x12_documents (tenant_id, partner_id, created_at desc, id desc);
-- A 997 names the group, a TA1 the interchange; numbers begin anew, so the newest counts.
create index x12_documents_group on x12_documents (tenant_id, partner_id, functional_id, group_control_number, created_at);
create index x12_documents_interchange
  on x12_documents (tenant_id, partner_id, interchange_control_number, created_at);
-- What is over its time is found in the order of its age.
create index x12_documents_age on x12_documents (created_at);

grant select, insert, update on x12_documents to hub_app;
grant select, insert, update, delete on x12_documents to hub_system;

create policy tenant_rows on x12_documents to hub_app
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy system_rows on x12_documents to hub_system using (true) with check (true);
alter table x12_documents enable row level security;
alter table x12_documents force row level security;
