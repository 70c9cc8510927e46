-- The one commit of a unit. Checks everything, then writes; after the first write nothing can fail,
-- because Lua does not roll back. All keys are the unit's own. Inputs are only looked at, so their names
-- stand among the arguments: a server's ACL asks for the right to write to every one of KEYS.
--
-- KEYS  1 lease  2 meta  3 positions  4 state  5 journal  6 dead letters, then the output streams
-- ARGV  1 fence  2 counter  3 lease in ms  4 dead letters in a row  5 journal entry ('' for none)
--       6 outputs  7 inputs  8 changed state keys  9 deleted state keys  10 writes  11 dead letters
--       then each of these groups flat:
--       output: first number | input: key | input: place, new position | changed: key, value | deleted: key
--       write: index of its stream, type, version, key, cause, trace, body
--       dead letter: number of fields, then name and value of each
local call = redis.call

-- Number of a stream's last entry, or of the last one that was trimmed.
local function tip(key)
  if call('EXISTS', key) == 0 then return 0 end
  local info = call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '^%d+')) end
  end
end

-- The same where that is `position` or more, which is what is asked of an input; a third of the price.
local function reached(key, position)
  local newest = call('XREVRANGE', key, '+', string.format('%.0f-0', position), 'COUNT', 1)[1]
  return newest and tonumber(string.match(newest[1], '^%d+')) or tip(key)
end

if call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 'FENCED' end

local counter = tonumber(ARGV[2])
local stored = tonumber(call('HGET', KEYS[2], 'counter') or '0')
if stored == counter then return 'APPLIED' end
if stored ~= counter - 1 then return 'COUNTER ' .. stored end

local outputs, inputs, changed = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local deleted, writes, dead = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local at = 11
local numbers = {}
for i = 1, outputs do
  local first = tonumber(ARGV[at + i])
  local last = tip(KEYS[6 + i])
  if last ~= first - 1 then return 'NUMBER ' .. KEYS[6 + i] .. ' is at ' .. last .. ', not ' .. (first - 1) end
  numbers[i] = first
end
at = at + outputs
for i = 1, inputs do
  local place, position = ARGV[at + inputs + 2 * i - 1], tonumber(ARGV[at + inputs + 2 * i])
  local last = reached(ARGV[at + i], position)
  if position > last then return 'NUMBER ' .. place .. ' ends at ' .. last .. ', before ' .. position end
end
at = at + inputs
local wanted = at + 2 * inputs + 2 * changed + deleted + 7 * writes
for _ = 1, dead do wanted = wanted + 1 + 2 * tonumber(ARGV[wanted + 1]) end
if #KEYS ~= 6 + outputs or #ARGV ~= wanted then return 'ARGUMENTS ' .. #ARGV .. ', not ' .. wanted end

local now = call('TIME')
local sent = now[1] .. string.format('%06d', now[2])

-- The journal first: an entry with this number or a later one is the one thing that was not looked at.
if ARGV[5] ~= '' then call('XADD', KEYS[5], counter .. '-0', 'took', ARGV[5]) end
call('HSET', KEYS[2], 'counter', counter, 'dead_in_row', ARGV[4])
call('PEXPIRE', KEYS[1], ARGV[3])
if inputs > 0 then call('HSET', KEYS[3], unpack(ARGV, at + 1, at + 2 * inputs)) end
at = at + 2 * inputs
for i = at + 1, at + 2 * changed, 2000 do
  call('HSET', KEYS[4], unpack(ARGV, i, math.min(i + 1999, at + 2 * changed)))
end
at = at + 2 * changed
for i = at + 1, at + deleted do call('HDEL', KEYS[4], ARGV[i]) end
at = at + deleted
for _ = 1, writes do
  local which = tonumber(ARGV[at + 1])
  call('XADD', KEYS[6 + which], numbers[which] .. '-0', 'type', ARGV[at + 2], 'v', ARGV[at + 3],
    'key', ARGV[at + 4], 'cause', ARGV[at + 5], 'trace', ARGV[at + 6], 'sent', sent, 'body', ARGV[at + 7])
  numbers[which] = numbers[which] + 1
  at = at + 7
end
for _ = 1, dead do
  local fields = tonumber(ARGV[at + 1])
  call('XADD', KEYS[6], '*', unpack(ARGV, at + 2, at + 1 + 2 * fields))
  at = at + 1 + 2 * fields
end
--TURN--
return 'OK'
