-- How many shards any process was ever set up with: ARGV = those of this one.
local shards = tonumber(redis.call('GET', KEYS[1]) or 0)
if shards < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], ARGV[1])
    return tonumber(ARGV[1])
end
return shards
