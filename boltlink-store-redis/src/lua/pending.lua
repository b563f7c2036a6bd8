-- The pending clicks of the links in ARGV, in their order; of a view that this run of the server did not raise, none.
if redis.call('HGET', KEYS[5], 'run') ~= run_token() then
    return {}
end
return redis.call('HMGET', KEYS[6], unpack(ARGV))
