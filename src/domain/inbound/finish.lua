-- Purpose: takes finished entries of one partition out of the stream and books what became of each.
-- Guarantee: an entry is booked only by the call whose XDEL found it, so a repeated or a second worker's call changes
--   nothing, and accepted = outcomes + stream + retry + held holds after every call.
-- KEYS: 1 stream, 2 retry, 3 held, 4 ledger.
-- ARGV: 1 group, 2 number of groups; then for each group: kind ("o" ended, "r" retry, "h" held), ledger field
--   (`<tenant>/<outcome>`; "" for r and h), number of entries, and for each entry its stream id,
--   for h also the member, for r the member and the due time in ms.
-- Output: number of entries that this call removed.

local stream, retry, held, ledger = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group = ARGV[1]
local at = 3
local total = 0

-- Two entries of one receipt (a replay beside an entry whose acknowledgement was lost) become one: the other is ended.
local function waitsAlready(member)
  redis.call('HINCRBY', ledger, string.match(member, '^[^/]+/([^/]+)/') .. '/cancelled', 1)
end

for _ = 1, tonumber(ARGV[2]) do
  local kind, field, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  at = at + 3
  if kind == 'o' then
    local ids = {}
    for i = 1, count do ids[i] = ARGV[at + i - 1] end
    at = at + count
    redis.call('XACK', stream, group, unpack(ids))
    local removed = redis.call('XDEL', stream, unpack(ids))
    if removed > 0 then redis.call('HINCRBY', ledger, field, removed) end
    total = total + removed
  else
    for _ = 1, count do
      local id, member = ARGV[at], ARGV[at + 1]
      redis.call('XACK', stream, group, id)
      local found = redis.call('XDEL', stream, id)
      if kind == 'r' then
        if found == 1 and redis.call('ZADD', retry, ARGV[at + 2], member) == 0 then waitsAlready(member) end
        at = at + 3
      else
        if found == 1 and redis.call('SADD', held, member) == 0 then waitsAlready(member) end
        at = at + 2
      end
      total = total + found
    end
  end
end

return total
