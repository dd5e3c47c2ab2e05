-- Purpose: admits and ends several calls of one process in one script. Stands behind quotas.lua and the functions `admit`
--   and `finish`, which are turns.lua with admit.lua and finish.lua.
-- Guarantee: every call is done as if it came alone, in this order and at one time; what fails fails for itself.
-- KEYS: those of the calls, one list behind the other; calls of one integration name the same list.
-- ARGV: 1 number of lists of keys, then the length of each, then for each call: "a" (admit) or "f" (finish), number of its
--   list, number of its arguments, its arguments.
-- Output: JSON, a list with the output of each call, or {"error", message}.

local lists, at, key = {}, 1 + tonumber(ARGV[1]), 0
for number = 1, tonumber(ARGV[1]) do
  local list = {}
  for i = 1, tonumber(ARGV[1 + number]) do list[i] = KEYS[key + i] end
  key = key + #list
  lists[number] = list
end

local replies = {}
while at < #ARGV do
  local verb = ARGV[at + 1] == 'a' and admit or finish
  local keys, count, args = lists[tonumber(ARGV[at + 2])], tonumber(ARGV[at + 3]), {}
  for i = 1, count do args[i] = ARGV[at + 3 + i] end
  at = at + 3 + count
  local isDone, reply = pcall(verb, keys, args)
  if not isDone then reply = { 'error', type(reply) == 'table' and reply.err or tostring(reply) } end
  replies[#replies + 1] = reply
end
return cjson.encode(replies)
