-- The server's memory since it last started or took over: a snapshot that is restored, or a replica that is promoted,
-- has another. It is asked for within the script, as what is decided by it must not become stale in between.
local function run_token()
    local process = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
    local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
    return (process or '?') .. ':' .. (history or '?')
end

-- How the stream and the lease set write the place of an entry.
local function entry_id(place)
    return string.format('%.0f-0', place)
end
local function lease_id(place)
    return string.format('%016.0f', place)
end

-- The clicks that an entry raised the pending view by are pairs of a link (16 bytes) and a count (4 bytes, little-endian).
-- Adds them to sums per link.
local function add_up(sums, counts)
    for at = 1, #counts, 20 do
        local link = string.sub(counts, at, at + 15)
        sums[link] = (sums[link] or 0) + struct.unpack('<I4', counts, at + 16)
    end
end

-- Raises or lowers the pending view, once for each link, however many entries are at it.
local function change_view(view, sums, sign)
    for link, clicks in pairs(sums) do
        if redis.call('HINCRBY', view, link, sign * clicks) <= 0 then
            redis.call('HDEL', view, link)
        end
    end
end

-- The value of `name` in the flat list of an entry's fields.
local function field(fields, name)
    for at = 1, #fields, 2 do
        if fields[at] == name then
            return fields[at + 1]
        end
    end
    return ''
end
