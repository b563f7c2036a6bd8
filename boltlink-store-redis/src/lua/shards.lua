-- How many shards any process was ever set up with: ARGV = those of this one.
local shards = tonumber(redis.call('GET', KEYS[1]) or 0)
if shards < tonumber(ARGV[1]) then
    -- A write that needs no memory, before one that does: a full server must not keep its consumers away.
    redis.call('DEL', KEYS[1])
    redis.call('SET', KEYS[1], ARGV[1])
    return tonumber(ARGV[1])
end
return shards
