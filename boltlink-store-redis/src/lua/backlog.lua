-- What waits for a consumer (ARGV = 't' or 'a'): how many batches, and the oldest of them, if any.
local stream, held, meta = KEYS[1], KEYS[2], KEYS[5]
local consumer = ARGV[1]
local waiting = redis.call('HLEN', held) - tonumber(redis.call('HGET', meta, 'half:' .. consumer) or 0)
-- Entries are leased in their order, so the oldest is a leased one if there is any. Few are: what consumers work on.
local oldest
for _, member in ipairs(redis.call('ZRANGE', KEYS[consumer == 't' and 3 or 4], 0, -1)) do
    if not oldest or member < oldest then
        oldest = member
    end
end
if oldest then
    local id = entry_id(tonumber(oldest))
    local entry = redis.call('XRANGE', stream, id, id)[1]
    return { waiting, entry and field(entry[2], 'b') or false }
end
local cursor = redis.call('HGET', meta, 'cursor:' .. consumer) or '0'
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. cursor .. '-0', '+', 'COUNT', 16)) do
    if string.find(redis.call('HGET', held, field(entry[2], 'i')) or '', consumer, 1, true) then
        return { waiting, field(entry[2], 'b') }
    end
end
return { waiting, false }
