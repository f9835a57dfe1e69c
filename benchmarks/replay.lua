-- Replays the requests of a file, one a line: METHOD PATH BODY. Prints what was measured as one line of JSON.

local requests, at = {}, 0

function init(arguments)
  wrk.headers["Accept"] = "application/json"
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%S+) (%S+) (.*)$")
    if method == "GET" then
      requests[#requests + 1] = wrk.format(method, path, { ["Accept"] = "application/json" })
    else
      requests[#requests + 1] = wrk.format(method, path, nil, body)
    end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "failures": %d, "refusals": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
