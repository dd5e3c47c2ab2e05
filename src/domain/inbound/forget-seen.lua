-- Purpose: makes room by forgetting the previous generation of event ids before its time, and, where the current one is
--   large by itself, by letting a new one begin: the current takes the previous one's place.
-- Guarantee: event ids are forgotten only some time after it was announced from when on ids will be remembered, so that
--   every worker judges what came before by Postgres; and only after every entry of before that time has left the
--   stream, so that Postgres knows it. What stands in the current generation is never forgotten.
-- KEYS: 1 stream, 2 seen (current generation), 3 seen (previous generation), 4 span.
-- ARGV: 1 now in ms, 2 start of the current generation in ms, 3 "rotate" or "drop", 4 ms for which the announcement must
--   have stood, 5 ms by which clocks may differ, 6 seconds to keep a generation.
-- Output: "announced", "waiting" (for the workers to hear of it), "busy" (older entries are in the stream), "forgotten",
--   "begun" (the current one took a place that was free), or "nothing".

local now, keepSeconds = tonumber(ARGV[1]), tonumber(ARGV[6])
local span = redis.call('HMGET', KEYS[4], 'since', 'announced', 'began')
local began = math.max(tonumber(ARGV[2]), tonumber(span[3] or '0'))
local outcome = 'nothing'

if redis.call('EXISTS', KEYS[3]) == 1 then
  if tonumber(span[1] or '0') ~= began then
    redis.call('HSET', KEYS[4], 'since', string.format('%.0f', began), 'announced', ARGV[1])
    redis.call('EXPIRE', KEYS[4], keepSeconds)
    return 'announced'
  end
  if now - tonumber(span[2]) < tonumber(ARGV[4]) then return 'waiting' end
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if first and tonumber(string.match(first[1], '^%d+')) < began + tonumber(ARGV[5]) then return 'busy' end
  redis.call('UNLINK', KEYS[3])
  outcome = 'forgotten'
end

if ARGV[3] == 'rotate' and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RENAME', KEYS[2], KEYS[3])
  -- Accepting sets the expiry of a generation once; the new one gets it here, with a field that is nobody's id.
  redis.call('HSET', KEYS[2], '', '')
  redis.call('EXPIRE', KEYS[2], keepSeconds)
  redis.call('HSET', KEYS[4], 'began', ARGV[1])
  redis.call('EXPIRE', KEYS[4], keepSeconds)
  if outcome == 'nothing' then outcome = 'begun' end
end
return outcome
