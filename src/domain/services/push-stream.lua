-- Purpose: puts messages into a target service's stream, as far as it has room.
-- Guarantee: the service's group exists from the first entry on and starts at 0, so that a service which comes later
--   misses nothing; past the cap nothing is added, so that a dead service does not fill Redis for all.
-- KEYS: 1 the service's stream.
-- ARGV: 1 group, 2 cap in entries, 3 number of messages, then for each message nine values: id, tenantId, endpointId,
--   type, handler, occurredAt, traceparent, contentType, body.
-- Output: number of messages added: the first ones of the list.

local stream, group, cap, count = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

if redis.call('EXISTS', stream) == 0 then redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM') end

local room = math.min(count, cap - redis.call('XLEN', stream))
for i = 0, room - 1 do
  local a = 4 + i * 9
  redis.call('XADD', stream, '*', 'id', ARGV[a], 'tenantId', ARGV[a + 1], 'endpointId', ARGV[a + 2],
    'type', ARGV[a + 3], 'handler', ARGV[a + 4], 'occurredAt', ARGV[a + 5], 'traceparent', ARGV[a + 6],
    'contentType', ARGV[a + 7], 'body', ARGV[a + 8])
end
return math.max(room, 0)
