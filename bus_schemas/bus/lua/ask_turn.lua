-- Lockstep: a reader that has heard nothing asks whose turn it is. ARGV 1: most entries a stream.
local unit, entries = turn_of(ARGV[1])
if not unit then return { '' } end
return { unit.name, entries }
