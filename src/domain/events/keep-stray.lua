-- Purpose: keeps an intake entry that names no tenant, and drops the oldest ones while there are too many, or too many
--   bytes of them. The newest one always stays.
-- KEYS: 1 stream of kept entries.
-- ARGV: 1 entries that are kept at most, 2 bytes that are kept at most, 3 bytes of this entry, then its fields and values.
-- Output: number of entries dropped.
-- Each entry carries its bytes and the sum up to it, so that what the stream holds is told by its two ends and a stream
-- that somebody trims by hand stays counted.

local function read(entries)
  local fields = {}
  if entries[1] then
    for i = 1, #entries[1][2], 2 do fields[entries[1][2][i]] = tonumber(entries[1][2][i + 1]) end
  end
  return fields.bytes or 0, fields.total or 0
end

local _, before = read(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1))
local total = before + tonumber(ARGV[3])
redis.call('XADD', KEYS[1], '*', 'bytes', ARGV[3], 'total', string.format('%.0f', total), unpack(ARGV, 4))

local dropped = 0
local count = redis.call('XLEN', KEYS[1])
while count > 1 do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
  local bytes, sum = read(oldest)
  if count <= tonumber(ARGV[1]) and total - sum + bytes <= tonumber(ARGV[2]) then break end
  redis.call('XDEL', KEYS[1], oldest[1][1])
  count = count - 1
  dropped = dropped + 1
end
return dropped
