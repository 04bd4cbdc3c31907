-- Removes items that are still as they were, and tells of the kind.
--
-- KEYS  the hash
-- ARGV  for each item its field and the SHA-1 of its data
--
-- Answers how many were removed.

local removed = 0
for i = 1, #ARGV, 2 do
  local stored = redis.pcall('HGET', KEYS[1], ARGV[i])
  if type(stored) == 'table' then return stored end
  if stored and redis.sha1hex(stored) == ARGV[i + 1] then
    local reply = redis.pcall('HDEL', KEYS[1], ARGV[i])
    if type(reply) == 'table' then return reply end
    removed = removed + 1
  end
end
-- Those who watch the store read the kind again. A user who may not publish can still write.
local name = string.match(KEYS[1], '^.*:()') or 1 -- where the kind's begins
redis.pcall('PUBLISH', string.sub(KEYS[1], 1, name - 1) .. '$changes', string.sub(KEYS[1], name) .. ':')
return removed
