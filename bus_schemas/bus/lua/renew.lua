-- KEYS 1 lease | ARGV 1 fence  2 lease in ms. Returns 1, or 0 where the fence is not ours.
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
