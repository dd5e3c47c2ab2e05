-- Purpose: tells which of some receipts have an entry in one partition's stream, page by page, because a read of a
--   whole backlog would hold up everybody on this Redis.
-- KEYS: 1 stream.
-- ARGV: 1 where to begin ("-" or the value returned before), 2 entries of this page, then the receipt ids.
-- Output: first where the next page begins, "" after the last one; then the ids that were found.

local wanted = {}
for i = 3, #ARGV do wanted[ARGV[i]] = true end

local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
local last = #entries == tonumber(ARGV[2]) and '(' .. entries[#entries][1] or ''
local reply = { last }
for _, entry in ipairs(entries) do
  local fields = entry[2]
  for f = 1, #fields, 2 do
    -- The id is the first member of every message.
    local id = fields[f] == 'm' and string.match(fields[f + 1], '^{"id":"([%x-]+)"')
    if id and wanted[id] then reply[#reply + 1] = id end
  end
end
return reply
