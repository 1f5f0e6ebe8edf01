-- Carry out the requests of one chunk; give how many entries there are then, and a result for each
-- request: "ok" or the code of an ERR.
-- ARGV: prefix, memory, entries seen, server, slot, number, steps (JSON)

local server, slot, number = ARGV[4], ARGV[5], ARGV[6]
local MAX_ROOMS = 1000

local out = outcast()
if out then return out end
-- Sent again, since the answer was lost?  Then give the same answer, and do nothing.
local done = redis.call('HGET', P .. 'slots:' .. server, slot)
if done then
    done = cjson.decode(done)
    if done[1] == number then return done[2] end
end

local steps = {}

function steps.LOGIN(key, name, login)
    if user(key) then return 'name-taken' end
    redis.call('HSET', P .. 'names', key, cjson.encode({name, server, login}))
    local place = next_place()
    redis.call('ZADD', P .. 'online', place, key)
    redis.call('ZADD', P .. 'at:' .. server, place, key)
    append('users', 'ONLINE', name, server, login)
    return 'ok'
end

function steps.LOGOUT(key, login)
    local who = user(key)
    if who and who[3] == login then go(key, who) end
    append('server:' .. server, 'GONE', login)
    return 'ok'
end

function steps.ALL(key, name, login, text)
    append('users', 'ALL', name, login, text)
    return 'ok'
end

function steps.MSG(key, name, login, to, text)
    local who = user(to)
    if not who then return 'no-such-user' end
    append('server:' .. who[2], 'MSG', name, who[3], text)
    return 'ok'
end

function steps.JOIN(key, name, login, room, room_name)
    if redis.call('ZSCORE', P .. 'members:' .. room, key) then return 'already-joined' end
    if redis.call('SCARD', P .. 'of:' .. key) >= MAX_ROOMS then return 'too-many-rooms' end
    redis.call('HSETNX', P .. 'rooms', room, room_name)
    redis.call('PERSIST', P .. 'log:room:' .. room)
    redis.call('ZADD', P .. 'members:' .. room, next_place(), key)
    redis.call('SADD', P .. 'of:' .. key, room)
    append('room:' .. room, 'JOINED', name, server, login)
    -- Her server's first member there: tell it how the room is now, and from where its log is news.
    if redis.call('HINCRBY', P .. 'here:' .. server, room, 1) == 1 then
        local names = {}
        for _, member in ipairs(in_order('members:' .. room)) do
            table.insert(names, user(member)[1])
        end
        append('server:' .. server, 'FOLLOW', room, redis.call('HGET', P .. 'rooms', room),
            last_id('room:' .. room), names, login)
    end
    return 'ok'
end

function steps.LEAVE(key, name, login, room)
    if not redis.call('ZSCORE', P .. 'members:' .. room, key) then return 'not-in-room' end
    leave(room, key, {name, server, login})
    return 'ok'
end

function steps.SAY(key, name, login, room, text)
    if not redis.call('ZSCORE', P .. 'members:' .. room, key) then return 'not-in-room' end
    append('room:' .. room, 'SAY', name, login, text)
    return 'ok'
end

local results = {}
for _, step in ipairs(cjson.decode(ARGV[7])) do
    table.insert(results, steps[table.remove(step, 1)](unpack(step)))
end
table.insert(results, 1, redis.call('GET', P .. 'entries'))
redis.call('HSET', P .. 'slots:' .. server, slot, cjson.encode({number, results}))
return results
