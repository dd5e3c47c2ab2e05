-- Purpose: removes the name of a consumer that is gone from a group.
-- Guarantee: XGROUP DELCONSUMER throws away what the consumer had pending, so it runs only when that is nothing, in the
--   same atomic step.
-- KEYS: 1 the stream.
-- ARGV: 1 group, 2 consumer.
-- Output: 1 removed, 0 it still has entries or does not exist.

local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then return 0 end
for _, consumer in ipairs(consumers) do
  local fields = {}
  for i = 1, #consumer, 2 do fields[consumer[i]] = consumer[i + 1] end
  if fields.name == ARGV[2] then
    if fields.pending > 0 then return 0 end
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return 1
  end
end
return 0
