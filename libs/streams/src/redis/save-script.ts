/**
 * Saves a checkpoint in one step.
 *
 * Keys: checkpoint (hash), entries (hash), staged (hash: the part of the changed entries that went ahead).
 * Arguments: state version, version, offsets, system, mark; whether to replace; number staged; number of known marks, these; number of
 * deleted keys, these; then the rest of the changed entries as key, value.
 * Returns SAVED, NEWER or LOST.
 */
export const SAVE_SCRIPT = `
local next = 7
local function take() next = next + 1; return ARGV[next] end

local version, mark = unpack(redis.call('HMGET', KEYS[1], 'version', 'mark'))
if version and tonumber(version) > tonumber(ARGV[2]) then
  redis.call('UNLINK', KEYS[3])
  return 'NEWER'
end

local replace = ARGV[6] == 'replace'
local known = tonumber(take())
local isKnown = known == 0
for _ = 1, known do
  if take() == mark then isKnown = true end
end
if not replace and not isKnown then
  redis.call('UNLINK', KEYS[3])
  return 'LOST'
end
if redis.call('HLEN', KEYS[3]) ~= tonumber(ARGV[7]) then
  return redis.error_reply('ERR entries that were staged for ' .. KEYS[2] .. ' are gone')
end

if replace then redis.call('UNLINK', KEYS[2]) end
for _ = 1, tonumber(take()) do redis.call('HDEL', KEYS[2], take()) end
local function set(from, list)
  for i = from, #list, 1000 do redis.call('HSET', KEYS[2], unpack(list, i, math.min(i + 999, #list))) end
end
set(1, redis.call('HGETALL', KEYS[3]))
set(next + 1, ARGV)
redis.call('UNLINK', KEYS[3])
redis.call('HSET', KEYS[1], 'stateVersion', ARGV[1], 'version', ARGV[2], 'offsets', ARGV[3], 'system', ARGV[4], 'mark', ARGV[5])
return 'SAVED'
`;
