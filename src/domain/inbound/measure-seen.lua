-- Purpose: measures the remembered event ids of one partition, and the memory of the server that holds them.
-- KEYS: 1 seen (current generation), 2 seen (previous generation).
-- ARGV: none.
-- Output: run id of the server, its maxmemory or, without one, its machine's memory in bytes, bytes of the current
--   generation, bytes of the previous one.

local function field(section, name)
  return string.match(redis.call('INFO', section), name .. ':([^\r\n]+)')
end

local limit = field('memory', 'maxmemory')
if tonumber(limit) == 0 then limit = field('memory', 'total_system_memory') end

-- All fields and nearly all values have one length, so that a few samples tell the whole.
local function bytes(key)
  return redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 5) or 0
end

return { field('server', 'run_id'), limit, bytes(KEYS[1]), bytes(KEYS[2]) }
