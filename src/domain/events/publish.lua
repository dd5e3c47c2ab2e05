-- Purpose: puts a micro-batch of published events into their streams. For each request: which events are known, then
--   whether there is room for all others, then XADD and the remembering of their ids.
-- Guarantee: a request is taken whole or not at all (on a Cluster: its part in this partition); an id is remembered
--   only after its entry is in the stream, in the same atomic step, so that a repeated call adds nothing; accepted =
--   outcomes + stream holds in every partition's ledger after every call.
-- KEYS: four for each partition: stream, ledger, seen (current generation), seen (previous generation). All of one
--   partition on a Cluster.
-- ARGV: partitions, capacity of a partition (0: far away, not looked at), requests; then for each partition: seconds to
--   keep its generation (0: set already); then for each request: number of events, and for each event: index of its
--   partition, ledger field (`<tenant>/accepted`), seen field, seen value, metadata, data ("" when it lies in Postgres).
-- Output: for each request "f" (no room), or a list with one element for each event: 1 accepted, or the seen value
--   under which it was accepted before.

local partitions, capacity, requests = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local at = 4 + partitions

local room, remember, counts = {}, {}, {}
for p = 1, partitions do
  room[p] = capacity > 0 and capacity - redis.call('XLEN', KEYS[p * 4 - 3]) or math.huge
  remember[p] = false
  counts[p] = {}
end

local reply = {}
for r = 1, requests do
  local events = tonumber(ARGV[at])
  at = at + 1
  local answers, wanted, fresh = {}, {}, {}
  for e = 1, events do
    local a = at + (e - 1) * 6
    local p, field = tonumber(ARGV[a]), ARGV[a + 2]
    local known = fresh[field] or redis.call('HGET', KEYS[p * 4 - 1], field) or redis.call('HGET', KEYS[p * 4], field)
    if known then
      answers[e] = known
    else
      answers[e] = 1
      fresh[field] = ARGV[a + 3]
      wanted[p] = (wanted[p] or 0) + 1
    end
  end
  local fits = true
  for p, count in pairs(wanted) do
    if count > room[p] then fits = false end
  end
  if not fits then
    reply[r] = 'f'
  else
    for e = 1, events do
      if answers[e] == 1 then
        local a = at + (e - 1) * 6
        local p = tonumber(ARGV[a])
        local stream, seen = KEYS[p * 4 - 3], KEYS[p * 4 - 1]
        if ARGV[a + 5] == '' then
          redis.call('XADD', stream, '*', 'm', ARGV[a + 4])
        else
          redis.call('XADD', stream, '*', 'm', ARGV[a + 4], 'b', ARGV[a + 5])
        end
        redis.call('HSET', seen, ARGV[a + 2], ARGV[a + 3])
        room[p] = room[p] - 1
        remember[p] = true
        counts[p][ARGV[a + 1]] = (counts[p][ARGV[a + 1]] or 0) + 1
      end
    end
    reply[r] = answers
  end
  at = at + events * 6
end

for p = 1, partitions do
  for field, count in pairs(counts[p]) do redis.call('HINCRBY', KEYS[p * 4 - 2], field, count) end
  local keepSeconds = tonumber(ARGV[3 + p])
  if remember[p] and keepSeconds > 0 then redis.call('EXPIRE', KEYS[p * 4 - 1], keepSeconds, 'NX') end
end

return reply
