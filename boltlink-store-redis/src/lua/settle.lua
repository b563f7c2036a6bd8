-- Releases batches: ARGV = consumer ('t' or 'a'), then ids (producer and sequence as one).
local stream, held, meta, view = KEYS[1], KEYS[2], KEYS[5], KEYS[6]
local consumer = ARGV[1]
local other = consumer == 't' and 'a' or 't'
local leases = KEYS[consumer == 't' and 3 or 4]
local cursor, run, generation, lowered = math.huge, nil, nil, {}
if consumer == 't' then
    cursor = tonumber(redis.call('HGET', meta, 'cursor:t') or 0)
    run = redis.call('HGET', meta, 'run') == run_token()
    generation = redis.call('HGET', meta, 'generation')
end
for at = 2, #ARGV do
    local place, size, waiting = string.match(redis.call('HGET', held, ARGV[at]) or '', '^(%d+) (%d+) (%a+)$')
    if place and string.find(waiting, consumer, 1, true) then
        place = tonumber(place)
        redis.call('ZREM', leases, lease_id(place))
        if run and place > cursor then
            local entry = redis.call('XRANGE', stream, entry_id(place), entry_id(place))[1]
            if entry and field(entry[2], 'g') == generation then
                add_up(lowered, field(entry[2], 'v'))
            end
        end
        if waiting == consumer then
            redis.call('XDEL', stream, entry_id(place))
            redis.call('HDEL', held, ARGV[at])
            redis.call('HINCRBY', meta, 'bytes', -size)
            redis.call('HINCRBY', meta, 'half:' .. other, -1)
        else
            redis.call('HSET', held, ARGV[at], string.format('%.0f %s %s', place, size, other))
            redis.call('HINCRBY', meta, 'half:' .. consumer, 1)
        end
    end
end
change_view(view, lowered, -1)
