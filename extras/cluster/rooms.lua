-- Look at all rooms: their names, and how many are in each.  ARGV: prefix, memory, entries seen, server

if is_lost(ARGV[2], ARGV[3]) then return {'lost'} end
if redis.call('HEXISTS', P .. 'beats', ARGV[4]) == 0 then return {'buried'} end

local rooms = {}
local names = redis.call('HGETALL', P .. 'rooms')
for i = 1, #names, 2 do
    table.insert(rooms, {names[i + 1], redis.call('ZCARD', P .. 'members:' .. names[i])})
end
return {'ok', rooms}
