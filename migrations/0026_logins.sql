-- Purpose: log-ins that end whatever is refreshed, and log-ins that reach several accounts.

alter table integrations
  -- When a person logged in. Refreshes leave it alone: absolute lives are counted from here.
  add column oauth_login_at timestamptz,
  -- When somebody has to log in again, as far as provider and manifest tell.
  add column oauth_login_ends_at timestamptz,
  -- When operators and subscribers are told of it next; null: told for the last time, or nothing to tell.
  add column oauth_login_warn_at timestamptz;
-- Of earlier log-ins the journal knows a month; an older one is at most as old as its integration, which warns too early
-- rather than too late.
update integrations i set oauth_login_at = coalesce(
    (select max(j.created_at) from oauth_refresh_journal j where j.integration_id = i.id and j.kind = 'LOGIN'),
    i.created_at)
  where i.oauth_tokens is not null;
create index integrations_oauth_warn on integrations (oauth_login_warn_at)
  where oauth_login_warn_at is not null and deleted_at is null;

-- Accounts among which the person who logged in still has to choose: {"field", "options": [{"value", "label"}]}.
alter table oauth_sessions add column choice jsonb;
