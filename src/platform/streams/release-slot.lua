-- Purpose: gives a worker's consumer slot back at an orderly stop, so that the next worker need not wait for its end.
-- KEYS: 1 the slot's lease.
-- ARGV: 1 the holder's token.
-- Output: 1 released, 0 it was another's already.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
