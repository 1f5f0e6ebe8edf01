-- What all scripts need.  A script runs alone: nobody sees Redis between two of its lines.
--
-- names      user's key (her name in lower case) -> JSON [name, server, login]
-- online     the keys in order of arrival;  at:S  those of them who are connected to server S
-- rooms      room's key -> its name as its first member typed it
-- members:R  the keys of room R's members, in order of arrival;  of:U  the rooms of user U
-- here:S     room -> how many of its members are connected to server S
-- beats      server -> when it last gave a sign of life, in ms of Redis's clock
-- log:...    the logs; each entry has the id of the one before it, so that a gap is noticed
-- entries    how many entries all logs have had: one that has fewer than we have seen has lost some

local P = ARGV[1]
local LOG_LENGTH = 10000  -- entries kept: a server that is further behind starts anew

-- Return why a server has no place in the cluster, nil if it has one.  All scripts but enter.lua get, as
-- ARGV 2 to 4: the memory that the server knows, how many entries it has seen, and its id.
local function outcast()
    local entries = tonumber(redis.call('GET', P .. 'entries') or 0)
    if redis.call('GET', P .. 'memory') ~= ARGV[2] or entries < tonumber(ARGV[3]) then
        return {'lost'}  -- another memory, or an older one
    end
    if redis.call('HEXISTS', P .. 'beats', ARGV[4]) == 0 then return {'buried'} end
end

local function now_ms()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function last_id(log)
    local last = redis.call('XREVRANGE', P .. 'log:' .. log, '+', '-', 'COUNT', 1)
    return last[1] and last[1][1] or '0-0'
end

local function append(log, ...)
    redis.call('XADD', P .. 'log:' .. log, 'MAXLEN', '~', LOG_LENGTH, '*',
        'before', last_id(log), 'number', redis.call('INCR', P .. 'entries'), 'what', cjson.encode({...}))
end

local function next_place()
    return redis.call('INCR', P .. 'places')
end

local function in_order(set)
    return redis.call('ZRANGE', P .. set, 0, -1)
end

local function user(key)
    local found = redis.call('HGET', P .. 'names', key)
    return found and cjson.decode(found)
end

local function leave(room, key, who)
    redis.call('ZREM', P .. 'members:' .. room, key)
    redis.call('SREM', P .. 'of:' .. key, room)
    if redis.call('HINCRBY', P .. 'here:' .. who[2], room, -1) == 0 then
        redis.call('HDEL', P .. 'here:' .. who[2], room)
    end
    append('room:' .. room, 'LEFT', who[1], who[2], who[3])
    if redis.call('EXISTS', P .. 'members:' .. room) == 0 then
        redis.call('HDEL', P .. 'rooms', room)
        -- Who has read it as far as here needs it no more; a minute for those who have not.
        redis.call('EXPIRE', P .. 'log:room:' .. room, 60)
    end
end

local function go(key, who)
    for _, room in ipairs(redis.call('SMEMBERS', P .. 'of:' .. key)) do
        leave(room, key, who)
    end
    redis.call('HDEL', P .. 'names', key)
    redis.call('ZREM', P .. 'online', key)
    redis.call('ZREM', P .. 'at:' .. who[2], key)
    append('users', 'OFFLINE', who[1], who[2], who[3])
end

local function bury(server)
    for _, key in ipairs(in_order('at:' .. server)) do
        go(key, user(key))
    end
    redis.call('HDEL', P .. 'beats', server)
    redis.call('DEL', P .. 'slots:' .. server, P .. 'log:server:' .. server, P .. 'here:' .. server)
    append('users', 'DOWN', server)
end
