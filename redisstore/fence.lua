-- Changes the sets of one slot unless the slot has seen a patch that begins at a later cursor.
--
-- KEYS  the slot's fence: the epoch of the cursor at which the last patch began that changed the slot; then the sets
-- ARGV  the patch's epoch, the segment reference, how many of the sets it is added to; the others lose it
--
-- Answers 1, or 0 if the patch is too late.

local fence = redis.pcall('GET', KEYS[1])
if type(fence) == 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is not a string')
end
if tonumber(fence or 0) > tonumber(ARGV[1]) then return 0 end
if fence ~= ARGV[1] then
  local reply = redis.pcall('SET', KEYS[1], ARGV[1])
  if reply.err then return reply end
end
local added = tonumber(ARGV[3])
for i = 2, #KEYS do
  local reply = redis.pcall(i - 1 <= added and 'SADD' or 'SREM', KEYS[i], ARGV[2])
  if type(reply) == 'table' then
    if string.find(reply.err, '^WRONGTYPE') then
      return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not a set')
    end
    return reply
  end
end
return 1
