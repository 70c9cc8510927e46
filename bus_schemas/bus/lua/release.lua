-- KEYS 1 lease | ARGV 1 fence ('' for any)  2 host  3 slot. Returns 1 if freed.
local held = redis.call('HMGET', KEYS[1], 'fence', 'host', 'slot')
if not held[1] then return 0 end
if ARGV[1] ~= '' and held[1] ~= ARGV[1] then return 0 end
if ARGV[1] == '' and not (held[2] == ARGV[2] and held[3] == ARGV[3]) then return 0 end
redis.call('DEL', KEYS[1])
return 1
