-- Lockstep: a reader that has heard nothing asks whose turn it is. ARGV 1: most entries a stream.
-- It looks at the streams themselves, so that an entry that came past our scripts is found too.
for _, unit in ipairs(UNITS) do
  local after = redis.call('HMGET', unit.positions, unpack(unit.places))
  local read = { 'COUNT', ARGV[1], 'STREAMS' }
  local n = #unit.keys
  for i = 1, n do
    read[3 + i] = unit.keys[i]
    read[3 + n + i] = (after[i] or '0') .. '-0'
  end
  local entries = redis.call('XREAD', unpack(read))
  if entries then return { unit.name, entries } end
end
return { '' }
