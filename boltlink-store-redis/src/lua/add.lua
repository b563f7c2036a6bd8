-- Takes a batch: KEYS as in keys.rs; ARGV = producer (16 bytes), sequence (16 hex digits), batch, counts per link (or
-- empty if it may not show in the view), bytes the log may hold, how many producers are remembered.
-- Returns 1 if the log holds it, 0 if the log is full.
local stream, held, meta, view, seen = KEYS[1], KEYS[2], KEYS[5], KEYS[6], KEYS[7]
local producer, sequence, batch, counts = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local id = producer .. sequence
local place, bytes_then, waiting = string.match(redis.call('HGET', held, id) or '', '^(%d+) (%d+) (%a+)$')
if place then
    if #redis.call('XRANGE', stream, entry_id(place), entry_id(place)) == 1 then
        return 1
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
if bytes > 0 and bytes + size > tonumber(ARGV[5]) then
    return 0
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
    if not highest and redis.call('HLEN', seen) > tonumber(ARGV[6]) then
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

local generation = redis.call('HGET', meta, 'generation') or '0'
if #counts > 0 then
    local run = run_token()
    if redis.call('HGET', meta, 'run') ~= run then
        redis.call('DEL', view)
        generation = string.format('%.0f', redis.call('HINCRBY', meta, 'generation', 1))
        redis.call('HSET', meta, 'run', run)
    end
    change_view(view, counts, 1)
end

place = redis.call('HINCRBY', meta, 'place', 1)
redis.call('XADD', stream, entry_id(place), 'i', id, 'b', batch, 'g', generation, 'v', counts)
redis.call('HSET', held, id, string.format('%.0f %.0f ta', place, size))
redis.call('HINCRBY', meta, 'bytes', size)
return 1
