-- Names the uninterrupted memory of this shard: ARGV = a name that nobody used before, for a log without one.
local meta = KEYS[5]
if redis.call('HEXISTS', meta, 'epoch') == 0 then
    redis.call('HSET', meta, 'epoch', ARGV[1])
end
return run_token() .. ':' .. redis.call('HGET', meta, 'epoch')
