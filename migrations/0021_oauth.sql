-- Purpose: what the log-in with a provider, and keeping its tokens fresh, need besides the first tables.

-- When the tokens are to be replaced: a margin before their end, or later after a failure. The worker asks for it over
-- all tenants, so that it needs no look at the manifests.
alter table integrations add column oauth_refresh_at timestamptz;
update integrations set oauth_refresh_at = oauth_expires_at - interval '5 minutes' where oauth_expires_at is not null;
create index integrations_oauth_refresh on integrations (oauth_refresh_at)
  where oauth_refresh_at is not null and deleted_at is null;
-- Its question is the other index' now.
drop index integrations_oauth_expiry;

alter table oauth_sessions
  -- The state is made when the ticket is opened.
  alter column state_hash drop not null,
  -- Hash of the cookie that was set in the browser which opened the ticket; null until then.
  add column browser_hash text;
comment on column oauth_sessions.verifier_sealed is
  'PKCE verifier and the values that were given for this once, sealed JSON.';

-- A session is forgotten with its secrets once it is over; journal rows stay for a while and tell what was sent.
alter table oauth_refresh_journal
  -- LOGIN: a code was traded for tokens. REFRESH: tokens were replaced. REVOKE: tokens are to be given back.
  add column kind text not null default 'REFRESH' check (kind in ('LOGIN', 'REFRESH', 'REVOKE')),
  add column grant_type text not null default 'refresh_token',
  -- oauth_version of the integration that was read: what was sent is void once another one is there.
  add column base_version bigint not null default 0,
  -- Number of the lease under which it was sent.
  add column fence bigint,
  -- After a failure: not before this time again.
  add column retry_at timestamptz,
  add column attempts integer not null default 0;
comment on column oauth_refresh_journal.tokens_sealed is
  'Between ANSWERED and STORED what the provider gave, sealed JSON; of a REVOKE the request that is to be sent.';

-- The wall behind the lease: an integration cannot have two refreshes under way.
create unique index oauth_refresh_journal_one on oauth_refresh_journal (integration_id)
  where kind = 'REFRESH' and state in ('STARTED', 'ANSWERED');
create index oauth_refresh_journal_revoke on oauth_refresh_journal (retry_at) where kind = 'REVOKE' and state = 'STARTED';
create index oauth_refresh_journal_age on oauth_refresh_journal (created_at);
