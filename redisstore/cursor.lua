-- Moves the cursor of the big segments if it is where a patch begins.
--
-- KEYS  the cursor
-- ARGV  the cursor before and after
--
-- Answers 1 if the cursor was where the patch begins.

local cursor = redis.pcall('GET', KEYS[1])
if type(cursor) == 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is not a string')
end
if (cursor or '') ~= ARGV[1] then return 0 end
if ARGV[2] ~= ARGV[1] then
  local reply = redis.pcall('SET', KEYS[1], ARGV[2])
  if reply.err then return reply end
end
return 1
