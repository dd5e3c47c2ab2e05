-- Purpose: each tenant's balance in one partition's ledger: what it has unfinished, when summed over all partitions.
-- Guarantee: reads only; one moment for all tenants.
-- KEYS: 1 ledger.
-- ARGV: none.
-- Output: tenant id, balance, tenant id, balance …, without zeros. A balance can be negative: the accept script counts
--   a batch of several partitions in the ledger of one of them.

local ledger = redis.call('HGETALL', KEYS[1])
local depth = {}
for i = 1, #ledger, 2 do
  local slash = string.find(ledger[i], '/', 1, true)
  local tenant, word = string.sub(ledger[i], 1, slash - 1), string.sub(ledger[i], slash + 1)
  local count = tonumber(ledger[i + 1])
  -- What came in adds, the five outcomes take away.
  if word ~= 'accepted' then count = -count end
  depth[tenant] = (depth[tenant] or 0) + count
end
local reply = {}
for tenant, entries in pairs(depth) do
  if entries ~= 0 then
    reply[#reply + 1] = tenant
    reply[#reply + 1] = string.format('%.0f', entries)
  end
end
return reply
