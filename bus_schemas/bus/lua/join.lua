-- A replica says that it lives, by the server's clock. KEYS 1 members | ARGV 1 member  2 silence in ms
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], ms, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms - ARGV[2])
-- seen in the future: the clock was set back, and such a score would outlive its member; the living say so again
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', ms + ARGV[2]), '+inf')
return redis.call('ZRANGE', KEYS[1], 0, -1)
