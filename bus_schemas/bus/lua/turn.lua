-- Lockstep: the first unit in turn order with something to read, and what it has to read.
-- UNITS, LIMIT, FEED, STEP and TURNS are written in front of this text when it is loaded: a namespace's
-- topology does not change. One server only: the look spans every slot.
--
-- TURNS is a hash with the tip of each stream and the position of each unit in it, written by the same
-- scripts that write these: one call tells what forty would.
local function unread(unit, limit, told)
  local read, n = { 'COUNT', limit, 'STREAMS' }, 0
  local after = {}
  for i, key in ipairs(unit.keys) do
    local tip, position = told[key], told[unit.fields[i]]
    if tip and tonumber(tip) > tonumber(position or '0') then
      n = n + 1
      read[3 + n] = key
      after[n] = (position or '0') .. '-0'
    end
  end
  if n == 0 then return nil end
  for i = 1, n do read[3 + n + i] = after[i] end
  return redis.call('XREAD', unpack(read))
end

local function turn_of(limit)
  local flat, told = redis.call('HGETALL', TURNS), {}
  for i = 1, #flat, 2 do told[flat[i]] = flat[i + 1] end
  for _, unit in ipairs(UNITS) do
    local entries = unread(unit, limit, told)
    if entries then return unit, entries end
  end
end

-- `seen` are new fields of TURNS, flat. The feed's word carries its last step, so that it can tell an
-- old word from a new one.
local function announce(seen, lease, counter)
  if #seen > 0 then redis.call('HSET', TURNS, unpack(seen)) end
  if lease and string.find(lease, ':lease:market_data', 1, true) then
    redis.call('SET', STEP, string.match(lease, '{(.-)}') .. ' ' .. counter)
  end
  local unit, entries = turn_of(LIMIT)
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
