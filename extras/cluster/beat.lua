-- A sign of life.  Whoever has given none for too long is buried: its users are gone.
-- ARGV: prefix, memory, entries seen, server, lease in ms, "yes" if it may bury others

local out = outcast()
if out then return out end

local now, lease = now_ms(), tonumber(ARGV[5])
-- Was our own last one long ago, too?  Then it was Redis that stood still: the others' may stand right
-- behind ours, and nobody is to be buried yet.
local late = now - tonumber(redis.call('HGET', P .. 'beats', ARGV[4])) > lease / 2
redis.call('HSET', P .. 'beats', ARGV[4], now)
if late then return {'late'} end

local beats = redis.call('HGETALL', P .. 'beats')
for i = 1, #beats, 2 do
    if ARGV[6] == 'yes' and now - tonumber(beats[i + 1]) > lease then
        bury(beats[i])
    end
end
return {'ok'}
