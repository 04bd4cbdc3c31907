-- Applies a patch to a big segment if the cursor is where the patch begins.
--
-- KEYS  the lock, the cursor, then the sets of all contexts that change
-- ARGV  the cursor before and after, the segment reference, how many of the sets it is added to; the others lose it
--
-- Answers 1 if the patch was applied.

local cursor = redis.pcall('GET', KEYS[2])
if type(cursor) == 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a string')
end
if (cursor or '') ~= ARGV[1] then return 0 end
for i = 3, #KEYS do
  local size = redis.pcall('SCARD', KEYS[i])
  if type(size) == 'table' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not a set')
  end
end

-- Writers that watch the lock, as Relay Proxy does, learn that they are not alone. As the first write it is also the one
-- that is refused if the server takes none.
local reply = redis.pcall('SET', KEYS[1], '')
if reply.err then return reply end
local added = tonumber(ARGV[4])
for i = 3, #KEYS do
  if i - 2 <= added then
    redis.call('SADD', KEYS[i], ARGV[3])
  else
    redis.call('SREM', KEYS[i], ARGV[3])
  end
end
if ARGV[2] ~= ARGV[1] then redis.call('SET', KEYS[2], ARGV[2]) end
return 1
