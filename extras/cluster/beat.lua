-- A sign of life.  Whoever has given none for too long is buried: its users are gone.
-- ARGV: prefix, memory, entries seen, server, lease in ms, "yes" if it may bury others

if is_lost(ARGV[2], ARGV[3]) then return {'lost'} end
if redis.call('HEXISTS', P .. 'beats', ARGV[4]) == 0 then return {'buried'} end

local now = now_ms()
redis.call('HSET', P .. 'beats', ARGV[4], now)
local beats = redis.call('HGETALL', P .. 'beats')
for i = 1, #beats, 2 do
    if ARGV[6] == 'yes' and now - tonumber(beats[i + 1]) > tonumber(ARGV[5]) then
        bury(beats[i])
    end
end
return {'ok'}
