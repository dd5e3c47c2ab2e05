-- Purpose: admits and ends several calls of one process in one script. Stands behind quotas.lua and the functions
--   `admit`, `finish` and `block`, which are turns.lua with admit.lua, finish.lua and block.lua.
-- Guarantee: every call is done as if it came alone, in this order and at one time; what fails fails for itself.
-- KEYS: those of the calls, one list behind the other; calls of one integration name the same list.
-- ARGV: 1 number of lists of keys, then the length of each, then for each call: "a" (admit), "f" (finish) or "b" (block), number
--   of its list, number of its arguments, its arguments.
-- Output: JSON, a list with the output of each call, or {"error", message}.

local VERBS = { a = admit, f = finish, b = block }
local lists, at, key = {}, 1 + tonumber(ARGV[1]), 0
for number = 1, tonumber(ARGV[1]) do
  local list = {}
  for i = 1, tonumber(ARGV[1 + number]) do list[i] = KEYS[key + i] end
  key = key + #list
  lists[number] = list
end

local replies = {}
while at < #ARGV do
  local verb = VERBS[ARGV[at + 1]]
  local keys, count, args = lists[tonumber(ARGV[at + 2])], tonumber(ARGV[at + 3]), {}
  for i = 1, count do args[i] = ARGV[at + 3 + i] end
  at = at + 3 + count
  local isDone, reply = pcall(verb, keys, args)
  if not isDone then reply = { 'error', type(reply) == 'table' and reply.err or tostring(reply) } end
  replies[#replies + 1] = reply
end
return cjson.encode(replies)
