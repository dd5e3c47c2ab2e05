-- Purpose: attempts without an index that no query uses.

-- Attempts are listed by subscription, event or delivery, never by tenant alone; an entry of this index cost every attempt
-- a write of its own.
drop index webhook_deliveries_tenant;
