-- Numbers an Init that begins, above all that began before it.
--
-- KEYS  the number of the Init that began last, and for how long it is kept
-- ARGV  the least number it may have, and for how many milliseconds it may be needed
--
-- Answers the number and for how many milliseconds it has to be kept: as long as any Init may run that began before.

local last = redis.pcall('GET', KEYS[1])
if type(last) == 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is not a string')
end
local number, lifetime = tonumber(ARGV[1]), tonumber(ARGV[2])
local before, longest = string.match(last or '', '^(%d+) (%d+)$')
if before then
  number, lifetime = math.max(number, before + 1), math.max(lifetime, longest)
end
number, lifetime = string.format('%.0f', number), string.format('%.0f', lifetime)
local reply = redis.pcall('SET', KEYS[1], number .. ' ' .. lifetime, 'PX', lifetime)
if reply.err then return reply end
return {number, lifetime}
