-- GCRA (ITU-T I.371) on whole microseconds, as boltlink_core::gcra has it, which is explained there.
-- KEYS = the limit; ARGV = interval, tolerance, cost, and the time, if it is not the server's that counts.
-- Returns whether it is allowed, what is owed then, and what is missing now, in microseconds as text.
local interval, tolerance, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(ARGV[4])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local kept = math.max(tonumber(redis.call('GET', KEYS[1]) or now) - now, 0)
local owed = math.min(kept, tolerance)
local wanted = interval * cost + owed
local allowed = wanted <= tolerance
local owed_then = allowed and wanted or owed
if owed_then ~= kept then
    local life = math.ceil(owed_then / 1000) + 1
    if ARGV[4] then
        -- Keys expire by the server's clock, which may be any time away from the one that counts.
        life = life + 3600000
    end
    redis.call('SET', KEYS[1], string.format('%.0f', now + owed_then), 'PX', string.format('%.0f', life))
end
return { allowed and 1 or 0, string.format('%.0f', owed_then), string.format('%.0f', math.max(wanted - tolerance, 0)) }
