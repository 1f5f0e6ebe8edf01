-- A server enters the cluster: give it the memory's name, who is online, and where the users' log ends.
-- ARGV: prefix, server, a name for the memory if it has none

redis.call('SET', P .. 'memory', ARGV[3], 'NX')
redis.call('HSET', P .. 'beats', ARGV[2], now_ms())
append('users', 'UP', ARGV[2])
local who = {}
for _, key in ipairs(in_order('online')) do
    table.insert(who, redis.call('HGET', P .. 'names', key))
end
return {redis.call('GET', P .. 'memory'), redis.call('GET', P .. 'entries'), who, last_id('users'), redis.call('HKEYS', P .. 'beats')}
