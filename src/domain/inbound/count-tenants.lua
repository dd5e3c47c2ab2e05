-- Purpose: counts the entries of one partition's stream by tenant, page by page, because a read of a whole backlog
--   would hold up everybody on this Redis.
-- KEYS: 1 stream.
-- ARGV: 1 where to begin ("-" or the value returned before), 2 entries of this page.
-- Output: first where the next page begins, "" after the last one; then tenant and count in turn.

local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
local last = #entries == tonumber(ARGV[2]) and '(' .. entries[#entries][1] or ''
local counts = {}
for _, entry in ipairs(entries) do
  local fields = entry[2]
  for f = 1, #fields, 2 do
    -- Id and tenant are the first members of every message.
    local tenant = fields[f] == 'm' and string.match(fields[f + 1], '^{"id":"[%x-]+","tenantId":"([%x-]+)"')
    if tenant then counts[tenant] = (counts[tenant] or 0) + 1 end
  end
end
local reply = { last }
for tenant, count in pairs(counts) do
  reply[#reply + 1] = tenant
  reply[#reply + 1] = tostring(count)
end
return reply
