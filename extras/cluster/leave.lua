-- A server leaves: its users are gone, as if it were dead.  ARGV: prefix, memory, entries seen, server

if not is_lost(ARGV[2], ARGV[3]) and redis.call('HEXISTS', P .. 'beats', ARGV[4]) == 1 then
    bury(ARGV[4])
end
return {'ok'}
