-- What wrk sends, and what it says at the end.
--
-- Arguments after `--`: the number of body bytes to POST (0: GET), `close` to ask for a new
-- connection per request, the number of virtual hosts to spread the requests over (0: none), and `named`
-- to ask for a host name of its own on each thread. Only the number of virtual hosts defines `request`, so that with the others no Lua runs per request.

-- A prime step through the hosts: neighbours in time are no neighbours in a table.
local STEP = 7919

local function spread_over(hosts)
    local texts, at = {}, 0
    for host = 0, hosts - 1 do
        texts[host] = wrk.format(nil, nil, { Host = "host-" .. host .. ".example" })
    end
    function request()
        at = (at + STEP) % hosts
        return texts[at]
    end
end

local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    local body_bytes = tonumber(args[1])
    if body_bytes > 0 then
        wrk.method = "POST"
        wrk.body = string.rep("x", body_bytes)
    end
    if args[2] == "close" then
        wrk.headers["Connection"] = "close"
    end
    if args[4] == "named" then
        wrk.headers["Host"] = "host-" .. number .. ".example"
    end
    local hosts = tonumber(args[3])
    if hosts > 0 then
        spread_over(hosts)
    end
end

-- One line of JSON for the rig, on standard error so that wrk's own words stay on standard output.
function done(summary, latency, requests)
    local errors = summary.errors
    io.stderr:write(string.format(
        '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,' ..
        '"connect_errors":%d,"read_errors":%d,"write_errors":%d,"status_errors":%d,"timeouts":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
