-- A sign of life.  Whoever has given none for too long is buried: its users are gone.
-- ARGV: prefix, memory, server, lease in ms, "yes" if it may bury others, how far it has read the users' log

if redis.call('GET', P .. 'memory') ~= ARGV[2] then return {'lost'} end
if redis.call('HEXISTS', P .. 'beats', ARGV[3]) == 0 then return {'buried'} end

local function parts(id)
    local ms, number = string.match(id, '(%d+)-(%d+)')
    return tonumber(ms), tonumber(number)
end

local read_ms, read_number = parts(ARGV[6])
local last_ms, last_number = parts(last_id('users'))
if last_ms < read_ms or (last_ms == read_ms and last_number < read_number) then return {'lost'} end

local now = now_ms()
redis.call('HSET', P .. 'beats', ARGV[3], now)
local beats = redis.call('HGETALL', P .. 'beats')
for i = 1, #beats, 2 do
    if ARGV[5] == 'yes' and now - tonumber(beats[i + 1]) > tonumber(ARGV[4]) then
        bury(beats[i])
    end
end
return {'ok'}
