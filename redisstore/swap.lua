-- Puts staged items in the place of the stored ones and marks the store as initialised, or changes nothing.
--
-- KEYS  the mark; then for each kind the hash and where its items are staged
-- ARGV  how many kinds; for each kind how many items are staged; then for each stored item that has to be kept the index of
--       its kind, counted from 1, and its field
--
-- Answers 1, or 0 if what was staged is not there any more, or {err} for a hash that is none.

for i = 1, tonumber(ARGV[1]) do
  local live, staged = KEYS[2 * i], KEYS[2 * i + 1]
  local kind = redis.call('TYPE', live).ok
  if kind ~= 'none' and kind ~= 'hash' then
    return redis.error_reply('WRONGTYPE ' .. live .. ' is a ' .. kind .. ' instead of a hash')
  end
  local count = redis.pcall('HLEN', staged)
  if type(count) == 'table' then return count end
  if count ~= tonumber(ARGV[i + 1]) then return 0 end
  -- From here on nothing may be refused half way, so permissions are asked for in advance where the server can tell.
  -- Where it cannot, as before Redis 7, commands that change nothing show it.
  if not redis.acl_check_cmd then
    local probes = {{'UNLINK', staged .. ':'}, {'PERSIST', staged .. ':'}}
    if count > 0 then probes[3] = {'RENAME', staged, staged} end
    for _, command in ipairs(probes) do
      local reply = redis.pcall(unpack(command))
      if type(reply) == 'table' and reply.err then return reply end
    end
  else
    for _, command in ipairs({{'UNLINK', live}, {'PERSIST', staged}, {'RENAME', staged, live}}) do
      if not redis.acl_check_cmd(unpack(command)) then
        return redis.error_reply('NOPERM this user may not run ' .. command[1] .. ' on ' .. live)
      end
    end
  end
end

-- The first write is refused if the server takes none at all: a replica, or one that is out of memory.
local reply = redis.pcall('SET', KEYS[1], '')
if reply.err then return reply end
for i = tonumber(ARGV[1]) + 2, #ARGV, 2 do
  local kind = tonumber(ARGV[i])
  local stored = redis.call('HGET', KEYS[2 * kind], ARGV[i + 1])
  if stored then redis.call('HSET', KEYS[2 * kind + 1], ARGV[i + 1], stored) end
end
for i = 1, tonumber(ARGV[1]) do
  local live, staged = KEYS[2 * i], KEYS[2 * i + 1]
  -- What is stored is not removed before RENAME replaces it: in a slot that moves to another node, a key that is missing can
  -- not be written any more.
  if redis.call('EXISTS', staged) == 1 then
    redis.call('PERSIST', staged)
    redis.call('RENAME', staged, live)
  else
    redis.call('UNLINK', live)
  end
end
-- Those who watch the store read everything again. A user who may not publish can still write.
redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -#'$inited' - 1) .. '$changes', ':')
return 1
