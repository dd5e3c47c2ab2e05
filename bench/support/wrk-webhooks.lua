-- Purpose: makes wrk send prepared, signed webhooks, each with an event id of its own, and count what it issued.
-- Input: argument 1 is a file of requests as they go over the wire, separated by NUL, with @@@@@@@@@@@@@@@@@@@@ (20
--   characters) where the event id stands; argument 2 is the run's prefix of ids (8 characters).
-- Output: one line of JSON after the run: issued, answered, durationMicros, errors by kind, p50/p99 in microseconds.
-- A signature over the body alone (GitHub's) stays valid under any id, so nothing is signed here: Lua would be the
-- bottleneck.

local threads = {}

function setup(thread)
  thread:set("threadIndex", #threads)
  threads[#threads + 1] = thread
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  heads, tails, count, issued = {}, {}, 0, 0
  for request in text:gmatch("[^%z]+") do
    local from, to = request:find(("@"):rep(20), 1, true)
    count = count + 1
    heads[count], tails[count] = request:sub(1, from - 1), request:sub(to + 1)
  end
  prefix = args[2] .. string.format("%02d", threadIndex)
end

function request()
  issued = issued + 1
  local index = issued % count + 1
  return heads[index] .. prefix .. string.format("%010d", issued) .. tails[index]
end

function done(summary, latency)
  local issuedInAll = 0
  for _, thread in ipairs(threads) do issuedInAll = issuedInAll + thread:get("issued") end
  local errors = summary.errors
  io.write(string.format(
    '\n{"issued":%d,"answered":%d,"durationMicros":%d,"connectErrors":%d,"readErrors":%d,"writeErrors":%d,' ..
      '"not2xx":%d,"timeouts":%d,"p50Micros":%d,"p99Micros":%d}\n',
    issuedInAll, summary.requests, summary.duration, errors.connect, errors.read, errors.write,
    errors.status, errors.timeout, latency:percentile(50), latency:percentile(99)))
end
