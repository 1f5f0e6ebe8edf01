-- A server leaves: its users are gone, as if it were dead.  ARGV: prefix, memory, server

if redis.call('GET', P .. 'memory') == ARGV[2] and redis.call('HEXISTS', P .. 'beats', ARGV[3]) == 1 then
    bury(ARGV[3])
end
return {'ok'}
