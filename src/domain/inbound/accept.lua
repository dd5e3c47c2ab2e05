-- Purpose: accepts a micro-batch of inbound webhooks. For each request: dedupe look-up, rate (GCRA), capacity, then
--   XADD and the remembering of its event id. Every check that can refuse comes before that request's first write,
--   because a script is not rolled back. A failing XADD refuses its own request only.
-- Guarantee: an event id is remembered only after its entry is in the stream, in the same atomic step; a repeated
--   call with the same requests finds the first receipt ids and adds nothing.
-- KEYS: three for each partition: stream, seen (current generation), seen (previous generation); then one ledger, of
--   any of these partitions; then one rate key for each endpoint that has a limit. All of one partition on a Cluster.
-- ARGV: partitions, endpoints, capacity of a partition (0: far away, not looked at),
--   then for each endpoint: tenant id, index of its rate key in KEYS (0: none), emission interval in
--   microseconds, burst tolerance in microseconds;
--   then for each partition: seconds to keep its generation (0: set already), number of requests, and for each request: endpoint index, dedupe field, dedupe value
--   (28 characters: receipt id and body hash; 38: with the second from which 300 s count), metadata, body
--   ("" for a body that lies in Postgres).
-- Output: one element for each request, in order: 1 accepted; "d<dedupe value>" duplicate; "l<ms>" rate limited,
--   try again after so many milliseconds; "f" partition full; "e<message>" the stream refused the entry.

local partitions, endpoints = tonumber(ARGV[1]), tonumber(ARGV[2])
local capacity = tonumber(ARGV[3])
local at = 4

local time = redis.call('TIME')
local nowSeconds = tonumber(time[1])
local nowMicros = nowSeconds * 1000000 + tonumber(time[2])

local endpoint = {}
for i = 1, endpoints do
  endpoint[i] = {
    ledgerField = ARGV[at] .. '/accepted', rateKey = tonumber(ARGV[at + 1]),
    emission = tonumber(ARGV[at + 2]), burst = tonumber(ARGV[at + 3]),
  }
  at = at + 4
end

-- GCRA: milliseconds until the endpoint may take one more, or nil when it may take it now (and has been charged).
local function limitedForMs(ep)
  local key = KEYS[ep.rateKey]
  local tat = ep.tat or tonumber(redis.call('GET', key) or '0')
  if tat < nowMicros then tat = nowMicros end
  local allowAt = tat + ep.emission - ep.burst
  if allowAt > nowMicros then
    ep.tat = tat
    return math.ceil((allowAt - nowMicros) / 1000)
  end
  ep.tat = tat + ep.emission
  ep.charged = true
  return nil
end

-- A body's own hash stands for an id during 300 s only: two equal bodies can be two real events.
local function stillRemembered(value)
  if not value then return nil end
  if #value > 28 and nowSeconds - tonumber(string.sub(value, 29)) > 300 then return nil end
  return value
end

local reply = {}
local r = 0
local accepted, ledgerFields = {}, {}

for p = 1, partitions do
  local k = (p - 1) * 3
  local stream, seen, previous = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3]
  local keepSeconds, count = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local first = at + 2
  local fields = {}
  for i = 1, count do fields[i] = ARGV[first + (i - 1) * 5 + 1] end
  local current = redis.call('HMGET', seen, unpack(fields))
  local before = redis.call('HMGET', previous, unpack(fields))
  local room = capacity > 0 and capacity - redis.call('XLEN', stream) or math.huge
  local fresh, remember = {}, {}
  for i = 1, count do
    local a = first + (i - 1) * 5
    local index, field, value = tonumber(ARGV[a]), fields[i], ARGV[a + 2]
    local ep = endpoint[index]
    local known = fresh[field] or stillRemembered(current[i]) or stillRemembered(before[i])
    local waitMs = nil
    r = r + 1
    if known then
      reply[r] = 'd' .. known
    else
      if room > 0 and ep.rateKey > 0 then waitMs = limitedForMs(ep) end
      if waitMs then
        reply[r] = 'l' .. waitMs
      elseif room <= 0 then
        reply[r] = 'f'
      else
        local added
        if ARGV[a + 4] == '' then
          added = redis.pcall('XADD', stream, '*', 'm', ARGV[a + 3])
        else
          added = redis.pcall('XADD', stream, '*', 'm', ARGV[a + 3], 'b', ARGV[a + 4])
        end
        if type(added) == 'table' and added.err then
          reply[r] = 'e' .. added.err
        else
          room = room - 1
          fresh[field] = value
          remember[#remember + 1] = field
          remember[#remember + 1] = value
          local counter = ep.ledgerField
          if not accepted[counter] then ledgerFields[#ledgerFields + 1] = counter end
          accepted[counter] = (accepted[counter] or 0) + 1
          reply[r] = 1
        end
      end
    end
  end
  at = first + count * 5
  if #remember > 0 then
    redis.call('HSET', seen, unpack(remember))
    if keepSeconds > 0 then redis.call('EXPIRE', seen, keepSeconds, 'NX') end
  end
end

if #ledgerFields > 0 then
  -- One read and one write for all tenants of the call, instead of a counter command for each.
  local ledger = KEYS[partitions * 3 + 1]
  local counted = redis.call('HMGET', ledger, unpack(ledgerFields))
  local counts = {}
  for i, counter in ipairs(ledgerFields) do
    counts[#counts + 1] = counter
    counts[#counts + 1] = string.format('%.0f', tonumber(counted[i] or '0') + accepted[counter])
  end
  redis.call('HSET', ledger, unpack(counts))
end

for i = 1, endpoints do
  local ep = endpoint[i]
  if ep.charged then
    redis.call('SET', KEYS[ep.rateKey], string.format('%.0f', ep.tat), 'PX', math.ceil((ep.tat - nowMicros) / 1000) + 1)
  end
end

return reply
