-- Leases batches: ARGV = consumer ('t' or 'a'), how many at most, bytes at most, now (µs), the end of the leases (µs), and
-- when no lease can end, as far as clocks agree.
-- Returns the batches.
local stream, held, meta, view = KEYS[1], KEYS[2], KEYS[5], KEYS[6]
local consumer, limit, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now, ends, never = ARGV[4], ARGV[5], ARGV[6]
local leases = KEYS[consumer == 't' and 3 or 4]
local sealed, lowered = {}, {}
-- A write that needs no memory, before those that do: a full server lets scripts go on that have begun to write, and
-- only consumers can make room.
redis.call('HDEL', meta, '')

local function lease(place, batch)
    redis.call('ZADD', leases, ends, lease_id(place))
    sealed[#sealed + 1] = batch
    room = room - #batch
end

-- Leases that ran out, and those that last longer than any does: the clock went backwards since. Not those that last a
-- little longer, as consumers' clocks differ.
local due = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, limit)
if #due < limit then
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. never, '+inf', 'LIMIT', 0, limit - #due)) do
        due[#due + 1] = member
    end
    table.sort(due)
end
for _, member in ipairs(due) do
    if room <= 0 then
        break
    end
    local id = entry_id(tonumber(member))
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if entry then
        lease(tonumber(member), field(entry[2], 'b'))
    else
        redis.call('ZREM', leases, member)
    end
end

-- What was never sealed.
local run, generation
if consumer == 't' then
    run = redis.call('HGET', meta, 'run') == run_token()
    generation = redis.call('HGET', meta, 'generation')
end
local cursor_name = 'cursor:' .. consumer
local cursor = redis.call('HGET', meta, cursor_name) or '0'
local before = cursor
while #sealed < limit and room > 0 do
    local entries = redis.call('XRANGE', stream, '(' .. cursor .. '-0', '+', 'COUNT', math.min(limit - #sealed, 32))
    if #entries == 0 then
        break
    end
    for _, entry in ipairs(entries) do
        if room <= 0 then
            break
        end
        cursor = string.match(entry[1], '^%d+')
        local state = redis.call('HGET', held, field(entry[2], 'i')) or ''
        -- One that the consumer knew from elsewhere and settled unsealed has left the view already.
        if string.find(state, consumer, 1, true) then
            lease(tonumber(cursor), field(entry[2], 'b'))
            if run and field(entry[2], 'g') == generation then
                add_up(lowered, field(entry[2], 'v'))
            end
        end
    end
end
-- Lowered first: should this fail half-way, the view shows too little, never too much.
change_view(view, lowered, -1)
if cursor ~= before then
    redis.call('HSET', meta, cursor_name, cursor)
end
return sealed
