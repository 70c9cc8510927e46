-- The end of a post to the controls in lockstep; stands where post.lua says TURN.
announce({ KEYS[1], last + 1 })
