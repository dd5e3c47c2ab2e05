-- Purpose: puts held receipts back into their partition's stream, in the order given, as references to Postgres.
-- Guarantee: a member that is not held (released already, or not yet booked by finish.lua) adds nothing.
-- KEYS: 1 stream, 2 held.
-- ARGV: members `<receipt>/<tenant>/<endpoint>`.
-- Output: number released.

local released = 0
for _, member in ipairs(ARGV) do
  if redis.call('SREM', KEYS[2], member) == 1 then
    local id, tenant, endpoint = string.match(member, '^([^/]+)/([^/]+)/([^/]+)$')
    redis.call('XADD', KEYS[1], '*', 'm',
      '{"id":"' .. id .. '","tenantId":"' .. tenant .. '","endpointId":"' .. endpoint .. '","reference":true}')
    released = released + 1
  end
end
return released
