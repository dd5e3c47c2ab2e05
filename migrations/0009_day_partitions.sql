-- Purpose: the days of the log tables: making them ahead of time and dropping them when retention ends.
--
-- Both functions run with the rights of the schema's owner, because hub_system may call them but holds no DDL rights;
-- their search_path is pinned, and they take numbers only. There is no DEFAULT partition: a row that found its day
-- missing would hide in it and keep that day from ever being made.

-- Names of the partitioned log tables.
create function hub_log_tables() returns text[]
  language sql immutable parallel safe
  set search_path = pg_catalog, pg_temp
  as $$
    select array['webhook_receipts', 'api_request_logs', 'webhook_deliveries', 'events', 'rejected_requests']
  $$;

-- Makes the partitions of the days from `days_back` before to `days_ahead` after today (UTC); returns how many were new.
-- Each is made apart and attached, which lets writers of the parent go on; creating it in place would lock them out.
create function hub_create_day_partitions(days_back integer, days_ahead integer) returns integer
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  as $$
    declare
      today date := (now() at time zone 'UTC')::date;
      parent text;
      day date;
      child text;
      made integer := 0;
    begin
      if days_back not between 0 and 400 or days_ahead not between 0 and 60 then
        raise exception 'days_back must be 0 to 400 and days_ahead 0 to 60' using errcode = '22023';
      end if;
      -- Several processes call this at boot; the second waits and finds the work done.
      perform pg_advisory_xact_lock(hashtext('hub day partitions'));
      set local lock_timeout = '10s';
      foreach parent in array public.hub_log_tables() loop
        for offset_days in -days_back .. days_ahead loop
          day := today + offset_days;
          child := parent || '_' || to_char(day, 'YYYYMMDD');
          continue when to_regclass('public.' || child) is not null;
          -- Receipts of a few kilobytes stay in one piece: moving a 1 KB body out of the row costs a second table's
          -- insert and index entry.
          execute format(
            'create table public.%I (like public.%I including defaults including storage) with (toast_tuple_target = 4080)',
            child, parent);
          execute format(
            'alter table public.%I attach partition public.%I for values from (%L) to (%L)',
            parent, child, to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
          made := made + 1;
        end loop;
      end loop;
      return made;
    end
  $$;

-- Drops the partitions whose day ended more than `keep_days` days ago; returns the names of those dropped. A day with
-- receipts that still wait (RETRYING, HELD) is kept, and one that a reader holds is left for the next run: the lock is
-- waited for one second only, because writers queue behind it.
create function hub_drop_day_partitions(keep_days integer) returns text[]
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
  as $$
    declare
      oldest date := (now() at time zone 'UTC')::date - keep_days;
      parent text;
      child text;
      unfinished boolean;
      dropped text[] := '{}';
    begin
      if keep_days not between 1 and 3650 then
        raise exception 'keep_days must be 1 to 3650' using errcode = '22023';
      end if;
      perform pg_advisory_xact_lock(hashtext('hub day partitions'));
      set local lock_timeout = '1s';
      foreach parent in array public.hub_log_tables() loop
        for child in
          select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = to_regclass('public.' || parent)
            and c.relname ~ ('^' || parent || '_[0-9]{8}$')
            and to_date(right(c.relname, 8), 'YYYYMMDD') < oldest
          order by c.relname
        loop
          unfinished := false;
          if parent = 'webhook_receipts' then
            execute format('select exists (select from public.%I where status in (''RETRYING'', ''HELD''))', child)
              into unfinished;
          end if;
          continue when unfinished;
          begin
            execute format('drop table public.%I', child);
            dropped := dropped || child;
          exception when lock_not_available then
            null;
          end;
        end loop;
      end loop;
      return dropped;
    end
  $$;

revoke all on function hub_create_day_partitions(integer, integer) from public;
revoke all on function hub_drop_day_partitions(integer) from public;

select hub_create_day_partitions(1, 4);
