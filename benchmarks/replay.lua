-- Replays the requests of a file, one a line: METHOD PATH BODY. Prints what was measured as one line of JSON.

local requests, threads = {}, {}
sent = 0 -- Global, so that `done` can read it of a thread.

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  wrk.headers["Accept"] = "application/json"
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%S+) (%S+) (.*)$")
    wrk.headers["Content-Type"] = method == "POST" and "application/json" or nil
    requests[#requests + 1] = wrk.format(method, path, nil, method == "POST" and body or nil)
  end
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency)
  local sent_by_all = -1 -- wrk asks for one request that it does not send.
  for _, thread in ipairs(threads) do
    sent_by_all = sent_by_all + thread:get("sent")
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"sent": %d, "answered": %d, "microseconds": %d, "p50": %d, "p99": %d, "broken": %d, "refused": %d}\n',
    sent_by_all, summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
