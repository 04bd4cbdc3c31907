-- Takes, keeps or gives back a lock.
--
-- KEYS  the lock
-- ARGV  the holder's token, and for how many milliseconds to hold it; 0 gives it back
--
-- Answers 1, or 0 if somebody else holds it.

local holder = redis.pcall('GET', KEYS[1])
if type(holder) == 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is not a string')
end
-- Other programs leave an empty value behind, which holds nothing.
if holder and holder ~= '' and holder ~= ARGV[1] then return 0 end
local reply
if ARGV[2] ~= '0' then
  reply = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
elseif holder == ARGV[1] then
  reply = redis.pcall('UNLINK', KEYS[1])
end
if type(reply) == 'table' and reply.err then return reply end
return 1
