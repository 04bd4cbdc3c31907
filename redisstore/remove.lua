-- Removes items that are still as they were, and tells of the kind.
--
-- KEYS  the hash, and the number of the last Init that came to it
-- ARGV  the number of this Init; for each item its field and the SHA-1 of its data
--
-- Answers 1, or 0 if the number is not there any more, or {err} if a later Init came here.

local last = redis.pcall('GET', KEYS[2])
if type(last) == 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a string')
end
if not last then return 0 end
if last ~= ARGV[1] then
  return redis.error_reply('SUPERSEDED an Init that began later writes ' .. KEYS[1])
end
for i = 2, #ARGV, 2 do
  local stored = redis.pcall('HGET', KEYS[1], ARGV[i])
  if type(stored) == 'table' then return stored end
  if stored and redis.sha1hex(stored) == ARGV[i + 1] then
    local reply = redis.pcall('HDEL', KEYS[1], ARGV[i])
    if type(reply) == 'table' then return reply end
  end
end
-- Those who watch the store read the kind again. A user who may not publish can still write.
local name = string.match(KEYS[1], '^.*:()') or 1 -- where the kind's begins
redis.pcall('PUBLISH', string.sub(KEYS[1], 1, name - 1) .. '$changes', string.sub(KEYS[1], name) .. ':')
return 1
