-- A server leaves: its users are gone, as if it were dead.  ARGV: prefix, memory, entries seen, server

if not outcast() then
    bury(ARGV[4])
end
return {'ok'}
