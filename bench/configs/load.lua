-- What wrk sends, and what it says at the end.
--
-- Arguments after `--`: the number of body bytes to POST (0: GET), and `close` to ask for a new
-- connection per request. Neither defines `request` nor `response`, so that no Lua runs per request.

function init(args)
    local body_bytes = tonumber(args[1])
    if body_bytes > 0 then
        wrk.method = "POST"
        wrk.body = string.rep("x", body_bytes)
    end
    if args[2] == "close" then
        wrk.headers["Connection"] = "close"
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
