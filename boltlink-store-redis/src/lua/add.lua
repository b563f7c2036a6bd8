-- Takes batches of a producer: KEYS as in keys.rs; ARGV = producer (16 bytes), bytes the log may hold, how many producers are
-- remembered; then for each batch its sequence (16 hex digits), the batch, and its counts per link (or empty if it may not
-- show in the view).
-- Returns how many of them the log holds, from the first on: fewer than all if it is full.
local stream, held, meta, view, seen = KEYS[1], KEYS[2], KEYS[5], KEYS[6], KEYS[7]
local producer, capacity, remembered = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local raised, run, generation = {}, nil, redis.call('HGET', meta, 'generation') or '0'

-- Takes one; false if there is no room.
local function take(sequence, batch, counts)
    local id = producer .. sequence
    local place, bytes_then, waiting = string.match(redis.call('HGET', held, id) or '', '^(%d+) (%d+) (%a+)$')
    if place then
        if #redis.call('XRANGE', stream, entry_id(place), entry_id(place)) == 1 then
            return true
        end
        -- Somebody took the entry away. What is known of it goes too, and the batch is taken again.
        redis.call('HDEL', held, id)
        redis.call('HINCRBY', meta, 'bytes', -bytes_then)
        if waiting ~= 'ta' then
            redis.call('HINCRBY', meta, waiting == 't' and 'half:a' or 'half:t', -1)
        end
        redis.call('ZREM', KEYS[3], lease_id(place))
        redis.call('ZREM', KEYS[4], lease_id(place))
    end
    local size = #id + #batch + #counts
    local bytes = tonumber(redis.call('HGET', meta, 'bytes') or 0)
    -- One that is larger than all the room there is would be refused for ever.
    if bytes > 0 and bytes + size > capacity then
        return false
    end

    -- Whether it is above all that was seen of its producer. Hex digits of one length sort as numbers do.
    local highest = redis.call('HGET', seen, producer)
    local above
    if highest then
        above = sequence > highest
    else
        -- Ids of producers sort by age: whoever is older than one that was forgotten may have been forgotten too.
        above = producer > (redis.call('HGET', meta, 'forgotten') or '')
    end
    if above then
        redis.call('HSET', seen, producer, sequence)
        if not highest and redis.call('HLEN', seen) > remembered then
            local oldest
            for _, known in ipairs(redis.call('HKEYS', seen)) do
                if not oldest or known < oldest then
                    oldest = known
                end
            end
            redis.call('HDEL', seen, oldest)
            redis.call('HSET', meta, 'forgotten', oldest)
        end
    else
        counts = ''
    end

    if #counts > 0 then
        if not run then
            run = run_token()
            if redis.call('HGET', meta, 'run') ~= run then
                redis.call('DEL', view)
                generation = string.format('%.0f', redis.call('HINCRBY', meta, 'generation', 1))
                redis.call('HSET', meta, 'run', run)
            end
        end
        add_up(raised, counts)
    end

    place = redis.call('HINCRBY', meta, 'place', 1)
    redis.call('XADD', stream, entry_id(place), 'i', id, 'b', batch, 'g', generation, 'v', counts)
    redis.call('HSET', held, id, string.format('%.0f %.0f ta', place, size))
    redis.call('HINCRBY', meta, 'bytes', size)
    return true
end

local count = 0
for at = 4, #ARGV, 3 do
    if not take(ARGV[at], ARGV[at + 1], ARGV[at + 2]) then
        break
    end
    count = count + 1
end
change_view(view, raised, 1)
return count
