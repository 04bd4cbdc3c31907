-- Upserts items all at once, or nothing and says what it needs to know.
--
-- KEYS  the hashes that the items belong to
-- ARGV  for each item: index of its hash in KEYS, field, version, data, verdict
--
-- A verdict is empty, or what the caller found out about the item that is stored: 'w' if it may be overwritten or 'k' if
-- it is kept, followed by the SHA-1 of the item that was judged. It holds only for that one.
--
-- The answer is a list: 1 and, for each item, 1 if it was written or 0 if it was kept; or 0 and, for each item, the stored
-- item if the caller has to judge it.

local function spelledWithEscapes(stored)
  local at = string.find(stored, '\\u00', 1, true)
  while at do
    if string.find(stored, '^[67]', at + 4) then return true end
    at = string.find(stored, '\\u00', at + 4, true)
  end
  return false
end

-- mayOverwrite says whether stored certainly has a smaller version than given, or none because it is damaged. It looks
-- for everything that could be the item's version first: if all of that is smaller, neither which one it is nor whether the
-- rest is JSON matters. cjson is asked only if some is not and there are several, and never to refuse.
local function mayOverwrite(stored, given)
  local candidates, smaller = 0, 0
  local first, last = string.find(stored, '"version"', 1, true)
  while first do
    candidates = candidates + 1
    local number = string.match(stored, '^%s*:%s*(-?%d+)%s*[,}]', last + 1)
    if number and tonumber(number) < given then smaller = smaller + 1 end
    first, last = string.find(stored, '"version"', last + 1, true)
  end
  local escapes = spelledWithEscapes(stored)
  if candidates == smaller and given > 0 and not escapes then return true end
  if candidates == 1 and smaller == 0 and not escapes then return false end
  local ok, item = pcall(cjson.decode, stored)
  if not ok or type(item) ~= 'table' then return false end
  local version = item.version
  if version == nil then version = 0 end
  return type(version) == 'number' and version < given
end

local answer, undecided = {1}, false
for i = 1, #ARGV, 5 do
  local stored = redis.pcall('HGET', KEYS[tonumber(ARGV[i])], ARGV[i + 1])
  if type(stored) == 'table' then return stored end
  local verdict, result = ARGV[i + 4], 1
  if stored then
    if verdict ~= '' and string.sub(verdict, 2) == redis.sha1hex(stored) then
      if string.sub(verdict, 1, 1) == 'k' then result = 0 end
    elseif not mayOverwrite(stored, tonumber(ARGV[i + 2])) then
      result, undecided = stored, true
    end
  end
  answer[#answer + 1] = result
end
if undecided then
  answer[1] = 0
  return answer
end
-- tell lets those who watch the store know what is about to be written: what they are told before the server's own notice of a
-- write explains that. A user who may not publish can still write.
local function tell(hash, field)
  local kind = string.match(hash, '^.*:()') or 1 -- where it begins
  redis.pcall('PUBLISH', string.sub(hash, 1, kind - 1) .. '$changes', string.sub(hash, kind) .. ':' .. field)
end

-- Of many items it is told only to which kinds they belong.
local singly, written = #ARGV <= 5 * 100, {}
for i = 1, #ARGV, 5 do
  if answer[(i - 1) / 5 + 2] == 1 then
    local hash = KEYS[tonumber(ARGV[i])]
    if singly then tell(hash, ARGV[i + 1]) else written[hash] = true end
    local reply = redis.pcall('HSET', hash, ARGV[i + 1], ARGV[i + 3])
    if type(reply) == 'table' then return reply end
  end
end
for hash in pairs(written) do tell(hash, '') end
return answer
