-- The end of a commit in lockstep; stands where commit.lua says TURN.
local seen = {}
for i = 1, outputs do
  seen[#seen + 1] = KEYS[6 + i]
  seen[#seen + 1] = numbers[i] - 1
end
for i = 1, inputs do
  seen[#seen + 1] = KEYS[3] .. ' ' .. ARGV[11 + outputs + i]
  seen[#seen + 1] = ARGV[11 + outputs + inputs + 2 * i]
end
announce(seen, KEYS[1], counter)
