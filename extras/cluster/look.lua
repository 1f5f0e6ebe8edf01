-- Look at a room, or at all rooms, as of one moment.
-- ARGV: prefix, memory, entries seen, server, the room's key or ""

if is_lost(ARGV[2], ARGV[3]) then return {'lost'} end
if redis.call('HEXISTS', P .. 'beats', ARGV[4]) == 0 then return {'buried'} end

if ARGV[5] == '' then
    local rooms = {}
    local names = redis.call('HGETALL', P .. 'rooms')
    for i = 1, #names, 2 do
        table.insert(rooms, {names[i + 1], redis.call('ZCARD', P .. 'members:' .. names[i])})
    end
    return {'ok', rooms}
end

local members = {}
for _, key in ipairs(in_order('members:' .. ARGV[5])) do
    table.insert(members, user(key)[1])
end
return {'ok', redis.call('HGET', P .. 'rooms', ARGV[5]), members, last_id('room:' .. ARGV[5])}
