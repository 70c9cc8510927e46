-- Take a lease that is free, has run out, or belongs to the same host and slot.
-- KEYS 1 lease  2 meta | ARGV 1 nonce  2 host  3 slot  4 lease in ms. Returns the epoch, or nil.
local held = redis.call('HMGET', KEYS[1], 'host', 'slot')
if held[1] and not (held[1] == ARGV[2] and held[2] == ARGV[3]) then return nil end
local epoch = redis.call('HINCRBY', KEYS[2], 'epoch', 1)
redis.call('HSET', KEYS[1], 'fence', epoch .. ':' .. ARGV[1], 'host', ARGV[2], 'slot', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return epoch
