-- Purpose: who uses the hub and who did what: tenants, users, api_keys, audit_log, idempotency_keys, tenant_keys.
--
-- The specification references tenants(id) and users(id) without defining them; both are kept here in the smallest form
-- that the hub needs. An Auth service may fill them: an unknown tenant or subject of a valid token is added on first sight.
--
-- Departures that hold for every table of the hub:
--   * ids are UUIDv7 instead of gen_random_uuid(): lists are paged by id, newest first, and a v4 has no order;
--   * unique and foreign keys of a tenant's rows begin with tenant_id, so that a row can never point into another
--     tenant and a unique violation tells nothing about another tenant;
--   * configuration is deleted softly (deleted_at): logs and receipts go on pointing to it.

-- A UUIDv7 (RFC 9562 section 5.7) for rows whose writer names no id: 48 bits of milliseconds, then random bits.
-- PostgreSQL has uuidv7() from version 18 on; the hub runs on 15.
create function hub_new_id() returns uuid
  language sql volatile parallel safe
  set search_path = pg_catalog, pg_temp
  as $$
    select encode(
      set_bit(
        set_bit(
          overlay(
            uuid_send(gen_random_uuid())
            placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
            from 1 for 6
          ),
          52, 1
        ),
        53, 1
      ),
      'hex'
    )::uuid
  $$;

create table tenants (
  id uuid primary key default hub_new_id(),
  -- Stands in URLs (/webhooks/:tenant/:path). A slug of a UUID's form is refused: the same place of the URL takes ids
  -- too, and one tenant's slug must not answer to another tenant's id.
  slug text not null unique
    check (slug ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$')
    check (slug !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'),
  name text not null,
  status text not null default 'ACTIVE' check (status in ('ACTIVE', 'SUSPENDED')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- The endpoint cache looks a tenant up by slug or by id as text in one query.
create index tenants_id_text on tenants ((id::text));

create table users (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  -- `sub` of the token: any text the Auth service chooses.
  subject text not null,
  email text,
  name text,
  last_seen_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, subject),
  unique (tenant_id, id)
);

create table api_keys (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  name text not null,
  -- The part of the key that names it; the look-up goes by it before the tenant is known.
  prefix text not null unique,
  -- SHA-256 of the secret part, hexadecimal: 190 random bits need no slow hash.
  secret_hash text not null,
  scopes text[] not null default '{}',
  -- owner, operator, viewer or service when the scopes come from a role.
  role text,
  expires_at timestamptz,
  last_used_at timestamptz,
  -- Actor that made the key: a user's or another key's id.
  created_by text,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);

create index api_keys_tenant on api_keys (tenant_id, id desc);

-- Append-only: no role of the hub may update or delete here. Field names, never values.
create table audit_log (
  id uuid primary key default hub_new_id(),
  tenant_id uuid not null references tenants (id),
  actor_type text not null check (actor_type in ('api_key', 'user', 'job', 'system')),
  actor_id text not null,
  verb text not null,
  object_type text not null,
  object_id text not null,
  changed_fields text[] not null default '{}',
  request_id text,
  source_ip text,
  created_at timestamptz not null default now()
);

create index audit_log_tenant on audit_log (tenant_id, id desc);
create index audit_log_object on audit_log (tenant_id, object_type, object_id, id desc);

-- Answers of creating requests, for 24 hours. `request_hash` covers who asked, method, path and body.
create table idempotency_keys (
  tenant_id uuid not null references tenants (id),
  key text not null,
  request_hash text not null,
  state text not null default 'DONE' check (state in ('IN_PROGRESS', 'DONE')),
  -- Row id under which the answer is sealed: an answer may carry a secret that is shown once.
  id uuid not null default hub_new_id(),
  response_sealed text,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '24 hours',
  primary key (tenant_id, key)
);

create index idempotency_keys_expiry on idempotency_keys (expires_at);

-- Data keys, one active per tenant, wrapped by a key of INTEGRATION_ENCRYPTION_KEY.
create table tenant_keys (
  id uuid primary key,
  tenant_id uuid not null references tenants (id),
  -- Id of the wrapping key in the key ring.
  kek_id text not null,
  -- base64 of 0x01 | iv12 | ciphertext | tag16, bound to tenant, data key id and wrapping key id.
  wrapped_key text not null,
  -- RETIRED keys still open what they sealed.
  status text not null default 'ACTIVE' check (status in ('ACTIVE', 'RETIRED')),
  created_at timestamptz not null default now()
);

create unique index tenant_keys_active on tenant_keys (tenant_id) where status = 'ACTIVE';
