-- The end of a post to the controls in lockstep; stands where post.lua says TURN.
local turns = turns_now()
note_tip(turns, KEYS[1], last + 1)
announce(turns)
