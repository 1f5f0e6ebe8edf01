-- Look at a room, or at all rooms, as of one moment.
-- ARGV: prefix, memory, server, the room's key or ""

if redis.call('GET', P .. 'memory') ~= ARGV[2] then return {'lost'} end
if redis.call('HEXISTS', P .. 'beats', ARGV[3]) == 0 then return {'buried'} end

if ARGV[4] == '' then
    local rooms = {}
    local names = redis.call('HGETALL', P .. 'rooms')
    for i = 1, #names, 2 do
        table.insert(rooms, {names[i + 1], redis.call('ZCARD', P .. 'members:' .. names[i])})
    end
    return {'ok', rooms}
end

local members = {}
for _, key in ipairs(in_order('members:' .. ARGV[4])) do
    table.insert(members, user(key)[1])
end
return {'ok', redis.call('HGET', P .. 'rooms', ARGV[4]), members, last_id('room:' .. ARGV[4])}
