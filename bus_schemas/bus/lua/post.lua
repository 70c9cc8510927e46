-- Append to a stream with many writers; the server numbers it.
-- KEYS 1 stream | ARGV 1 most entries ('' for no cap)  2 type  3 version  4 key  5 body
local last = 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
local now = redis.call('TIME')
local add = { 'XADD', KEYS[1] }
if ARGV[1] ~= '' then
  add[3], add[4], add[5] = 'MAXLEN', '~', ARGV[1]
end
for _, value in ipairs({ (last + 1) .. '-0', 'type', ARGV[2], 'v', ARGV[3], 'key', ARGV[4], 'cause', '',
  'trace', '', 'sent', now[1] .. string.format('%06d', now[2]), 'body', ARGV[5] }) do
  add[#add + 1] = value
end
redis.call(unpack(add))
--TURN--
return last + 1
