-- Lockstep: the first unit in turn order with something to read, and what it has to read.
-- The constants LIMIT, SLOTS, FEED, STEP, TURNS and the functions slots_of, slots_by and unit_at are written in
-- front of this text when it is loaded: a namespace's topology does not change. One server only: the look
-- spans every slot of a cluster.
--
-- Each input of each unit is a slot, numbered in turn order. TURNS holds the stream's tip and the unit's
-- position for each, one after the other, written by the same scripts that write these: one string tells
-- what forty calls would.
local function turns_now()
  local packed = redis.call('GET', TURNS)
  if packed then return cmsgpack.unpack(packed) end
  local turns = {}
  for i = 1, 2 * SLOTS do turns[i] = 0 end
  return turns
end

local function note_tip(turns, key, tip)
  for _, slot in ipairs(slots_of(key)) do turns[2 * slot - 1] = tip end
end

local function note_position(turns, positions, key, position)
  local first, last = slots_by(positions)
  for _, slot in ipairs(slots_of(key)) do
    if slot >= first and slot <= last then turns[2 * slot] = position end
  end
end

local function unread(turns, unit)
  local read, after = { 'COUNT', LIMIT, 'STREAMS' }, {}
  for i, key in ipairs(unit.keys) do
    local slot = unit.first + i - 1
    if turns[2 * slot - 1] > turns[2 * slot] then
      read[#read + 1] = key
      after[#after + 1] = string.format('%.0f-0', turns[2 * slot])
    end
  end
  for _, id in ipairs(after) do read[#read + 1] = id end
  return redis.call('XREAD', unpack(read))
end

local function turn_of(turns)
  for slot = 1, SLOTS do
    if turns[2 * slot - 1] > turns[2 * slot] then
      local unit = unit_at(slot)
      local entries = unread(turns, unit)
      if entries then return unit, entries end
    end
  end
end

-- The feed's word carries its last step, so that it can tell an old word from a new one.
local function announce(turns, lease, counter)
  redis.call('SET', TURNS, cmsgpack.pack(turns))
  if lease and string.find(lease, ':lease:market_data', 1, true) then
    redis.call('SET', STEP, string.match(lease, '{(.-)}') .. ' ' .. counter)
  end
  local unit, entries = turn_of(turns)
  if not unit then
    redis.call('PUBLISH', FEED, cmsgpack.pack({ '', redis.call('GET', STEP) or '' }))
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
