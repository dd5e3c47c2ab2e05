-- Purpose: reads both sides of one partition's delivery books at one moment.
-- Guarantee: one atomic step. The queues' names are made here, because which there are stands in the index; they share
--   the tag of the keys given.
-- KEYS: 1 due, 2 ledger.
-- ARGV: 1 beginning of the queues' names, 2 taken mark, 3 blocked mark, 4 held mark.
-- Output: accepted, ended, in the queues (all that is live), of these taken, of these behind their ordering key, in
--   queues that are held; as decimal text.

local accepted, ended, live, taken, blocked, heldCount = 0, 0, 0, 0, 0, 0
local ledger = redis.call('HGETALL', KEYS[2])
for i = 1, #ledger, 2 do
  local count = tonumber(ledger[i + 1])
  if string.sub(ledger[i], -9) == '/accepted' then accepted = accepted + count else ended = ended + count end
end
local index = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #index, 2 do
  local queue = ARGV[1] .. index[i]
  local size = redis.call('ZCARD', queue)
  live = live + size
  taken = taken + redis.call('ZCOUNT', queue, ARGV[2], ARGV[2])
  blocked = blocked + redis.call('ZCOUNT', queue, ARGV[3], ARGV[3])
  if tonumber(index[i + 1]) >= tonumber(ARGV[4]) then heldCount = heldCount + size end
end
return {
  string.format('%.0f', accepted), string.format('%.0f', ended), tostring(live), tostring(taken), tostring(blocked),
  tostring(heldCount),
}
