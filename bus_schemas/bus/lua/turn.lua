-- Lockstep: the first unit in turn order with something to read, and what it has to read.
-- UNITS, LIMIT, CHANNELS and FEED are written in front of this text when it is loaded: a namespace's
-- topology does not change. One server only: the look spans every slot.
local function turn_of(limit)
  for _, unit in ipairs(UNITS) do
    local after = redis.call('HMGET', unit.positions, unpack(unit.places))
    local read = { 'COUNT', limit, 'STREAMS' }
    local n = #unit.keys
    for i = 1, n do
      read[3 + i] = unit.keys[i]
      read[3 + n + i] = (after[i] or '0') .. '-0'
    end
    local entries = redis.call('XREAD', unpack(read))
    if entries then return unit, entries end
  end
end

local function announce()
  local unit, entries = turn_of(LIMIT)
  if not unit then
    redis.call('PUBLISH', FEED, cmsgpack.pack({ '' }))
    return
  end
  local most = 0
  for _, stream in ipairs(entries) do
    if #stream[2] > most then most = #stream[2] end
  end
  local told = { unit.name }
  if most < LIMIT then told[2] = entries end
  redis.call('PUBLISH', unit.channel, cmsgpack.pack(told))
end
