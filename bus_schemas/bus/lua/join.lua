-- A replica says that it lives, by the server's clock. KEYS 1 members | ARGV 1 member  2 silence in ms
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], ms, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms - ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
