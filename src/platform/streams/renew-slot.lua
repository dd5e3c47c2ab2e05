-- Purpose: keeps a worker's consumer slot.
-- Guarantee: only the holder's own token extends the lease; a holder whose lease ran out never gets it back by
--   renewing, because another process may have taken its name and its pending entries since.
-- KEYS: 1 the slot's lease.
-- ARGV: 1 the holder's token, 2 lease time in ms.
-- Output: 1 renewed, 0 lost.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
