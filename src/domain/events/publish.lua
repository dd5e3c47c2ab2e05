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

local room, counts, known, remember = {}, {}, {}, {}
for p = 1, partitions do
  room[p] = capacity > 0 and capacity - redis.call('XLEN', KEYS[p * 4 - 3]) or math.huge
  counts[p], known[p], remember[p] = {}, {}, {}
end

-- Under which values the ids were accepted before. One call for all of a partition, here and where they are remembered:
-- each call from a script costs more than what it does.
local function look(p, seen, fields)
  local missing = {}
  if fields[1] then
    for i, value in ipairs(redis.call('HMGET', seen, unpack(fields))) do
      if value then known[p][fields[i]] = value else missing[#missing + 1] = fields[i] end
    end
  end
  return missing
end

local asked, first = {}, at
for p = 1, partitions do asked[p] = {} end
for _ = 1, requests do
  for a = first + 1, first + tonumber(ARGV[first]) * 6, 6 do
    local fields = asked[tonumber(ARGV[a])]
    fields[#fields + 1] = ARGV[a + 2]
  end
  first = first + 1 + tonumber(ARGV[first]) * 6
end
for p = 1, partitions do look(p, KEYS[p * 4], look(p, KEYS[p * 4 - 1], asked[p])) end

local reply = {}
for r = 1, requests do
  local events = tonumber(ARGV[at])
  at = at + 1
  local answers, wanted, fresh = {}, {}, {}
  for e = 1, events do
    local a = at + (e - 1) * 6
    local p, field = tonumber(ARGV[a]), ARGV[a + 2]
    local value = fresh[field] or known[p][field]
    if value then
      answers[e] = value
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
        if ARGV[a + 5] == '' then
          redis.call('XADD', KEYS[p * 4 - 3], '*', 'm', ARGV[a + 4])
        else
          redis.call('XADD', KEYS[p * 4 - 3], '*', 'm', ARGV[a + 4], 'b', ARGV[a + 5])
        end
        local fields, field, value = remember[p], ARGV[a + 2], ARGV[a + 3]
        fields[#fields + 1] = field
        fields[#fields + 1] = value
        known[p][field] = value
        room[p] = room[p] - 1
        counts[p][ARGV[a + 1]] = (counts[p][ARGV[a + 1]] or 0) + 1
      end
    end
    reply[r] = answers
  end
  at = at + events * 6
end

for p = 1, partitions do
  local keepSeconds = tonumber(ARGV[3 + p])
  if remember[p][1] then
    redis.call('HSET', KEYS[p * 4 - 1], unpack(remember[p]))
    if keepSeconds > 0 then redis.call('EXPIRE', KEYS[p * 4 - 1], keepSeconds, 'NX') end
  end
  for field, count in pairs(counts[p]) do redis.call('HINCRBY', KEYS[p * 4 - 2], field, count) end
end

return reply
