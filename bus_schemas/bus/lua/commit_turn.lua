-- The end of a commit in lockstep; stands where commit.lua says TURN.
local turns = turns_now()
for i = 1, outputs do note_tip(turns, KEYS[6 + i], numbers[i] - 1) end
for i = 1, inputs do
  note_position(turns, KEYS[3], ARGV[11 + outputs + i], tonumber(ARGV[11 + outputs + inputs + 2 * i]))
end
announce(turns, KEYS[1], counter)
