-- Look at all rooms: their names, and how many are in each.  ARGV: prefix, memory, entries seen, server

local out = outcast()
if out then return out end

local rooms = {}
local names = redis.call('HGETALL', P .. 'rooms')
for i = 1, #names, 2 do
    table.insert(rooms, {names[i + 1], redis.call('ZCARD', P .. 'members:' .. names[i])})
end
return {'ok', rooms}
