-- Puts the staged items of one kind in the place of the stored ones, or changes nothing. If none are staged and the stored
-- ones stay for now, it only lists them.
--
-- KEYS  the hash, where its items are staged, and the number of the last Init that came to the hash
-- ARGV  the number of this Init, for how many milliseconds to keep it, 1 if it came here before or 0; how many items are
--       staged; 1 if stored items that are not staged stay for now, or 0 if they go; then the fields of stored items that
--       stay in any case
--
-- Answers 0 if what was staged or the number is not there any more, {err} for a hash that is none or if a later Init came
-- here, or a list of each item that stayed for now: its field and the SHA-1 of its data.

local live, staged = KEYS[1], KEYS[2]
local last = redis.pcall('GET', KEYS[3])
if type(last) == 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[3] .. ' is not a string')
end
if not last and ARGV[3] == '1' then return 0 end
if (tonumber(last or 0) or 0) > tonumber(ARGV[1]) then
  return redis.error_reply('SUPERSEDED an Init that began later writes ' .. live)
end
local kind = redis.call('TYPE', live).ok
if kind ~= 'none' and kind ~= 'hash' then
  return redis.error_reply('WRONGTYPE ' .. live .. ' is a ' .. kind .. ' instead of a hash')
end
local count = redis.pcall('HLEN', staged)
if type(count) == 'table' then return count end
if count ~= tonumber(ARGV[4]) then return 0 end
-- From here on nothing may be refused half way, so permissions are asked for in advance where the server can tell.
if redis.acl_check_cmd then
  for _, command in ipairs({{'UNLINK', live}, {'PERSIST', staged}, {'RENAME', staged, live}}) do
    if not redis.acl_check_cmd(unpack(command)) then
      return redis.error_reply('NOPERM this user may not run ' .. command[1] .. ' on ' .. live)
    end
  end
end

-- The first write is refused if the server takes none at all: a replica, or one that is out of memory.
local reply = redis.pcall('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
if reply.err then return reply end
local staying = {}
if ARGV[5] == '1' then
  local fields = redis.call('HKEYS', live)
  for i = 1, #fields do
    if redis.call('HEXISTS', staged, fields[i]) == 0 then
      local stored = redis.call('HGET', live, fields[i])
      local reply = count > 0 and redis.pcall('HSET', staged, fields[i], stored)
      if type(reply) == 'table' then return reply end
      staying[#staying + 1] = fields[i]
      staying[#staying + 1] = redis.sha1hex(stored)
    end
  end
  if count == 0 then return staying end
end
for i = 6, #ARGV do
  local stored = redis.call('HGET', live, ARGV[i])
  if stored then
    local reply = redis.pcall('HSET', staged, ARGV[i], stored)
    if type(reply) == 'table' then return reply end
  end
end
-- A server that cannot tell, as before Redis 7, refuses RENAME and PERSIST here, where they change nothing that is stored.
local some = redis.call('EXISTS', staged) == 1
-- What is stored is not removed before RENAME replaces it: in a slot that moves to another node, a key that is missing can
-- not be written any more.
local replacing = {{'RENAME', staged, staged}, {'PERSIST', staged}, {'RENAME', staged, live}}
for _, command in ipairs(some and replacing or {{'UNLINK', live}}) do
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then
    if some then redis.pcall('PEXPIRE', staged, 60000) end
    return reply
  end
end
-- Those who watch the store read the kind again. A user who may not publish can still write.
local name = string.match(live, '^.*:()') or 1 -- where the kind's begins
redis.pcall('PUBLISH', string.sub(live, 1, name - 1) .. '$changes', string.sub(live, name) .. ':')
return staying
