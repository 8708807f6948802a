-- What wrk runs in each round. Without arguments it sends the one request of its command line again and again. With
--     -- FILE OFFSET STRIDE header|body
-- each request carries another line of the file, as the value of Authorization or as a JSON body: from that byte on,
-- each thread so many bytes further, and from the beginning again after the last line. At the end it prints JSON.

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    table.insert(threads, thread)
end

function init(arguments)
    local path, offset, stride, place = arguments[1], tonumber(arguments[2]), tonumber(arguments[3]), arguments[4]
    if not path then return end
    local lines = assert(io.open(path, "r"))
    lines:seek("set", (offset + number * stride) % lines:seek("end"))
    local function next_line()
        local line = lines:read("*l")
        if line then return line end
        lines:seek("set", 0)
        return lines:read("*l")
    end
    sent = 0
    if place == "body" then
        local fields = { ["Content-Type"] = "application/json" }
        function request()
            sent = sent + 1
            return wrk.format("POST", nil, fields, next_line())
        end
    else
        local before, after = wrk.format("GET", nil, { Authorization = "@" }):match("^(.-)@(.*)$")
        function request()
            sent = sent + 1
            return before .. next_line() .. after
        end
    end
end

function done(summary, latency)
    local sent = 0
    for _, thread in ipairs(threads) do sent = math.max(sent, thread:get("sent") or 0) end
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "max": %f, "sent": %d, "refused": %d, "broken": %d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        latency.max / 1e3, sent, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
