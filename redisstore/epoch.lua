-- Answers the epoch of the cursor of the big segments: a number that grows whenever the cursor has moved.
--
-- KEYS  the cursor; the epoch's number and the cursor to which it belongs, with a space in between
-- ARGV  the cursor that a patch begins at
--
-- Answers the number as text, or 0 if the cursor is elsewhere.

local texts = {}
for i = 1, 2 do
  local text = redis.pcall('GET', KEYS[i])
  if type(text) == 'table' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not a string')
  end
  texts[i] = text or ''
end
if texts[1] ~= ARGV[1] then return 0 end
local number, cursor = string.match(texts[2], '^(%d+) (.*)$')
if cursor == ARGV[1] then return number end
-- A node that lost its data does not begin at 1: what the other nodes have seen would be later.
local time = redis.pcall('TIME')
if time.err then return time end
number = math.max((tonumber(number) or 0) + 1, tonumber(time[1]) * 1000000 + tonumber(time[2]))
number = string.format('%.0f', number)
local reply = redis.pcall('SET', KEYS[2], number .. ' ' .. ARGV[1])
if reply.err then return reply end
return number
