-- Asks for the 10,000 files of documents.js in random order, the same order for every contender. The requests are formed
-- before the run, so that wrk has only to pick one.
local folder = string.match(debug.getinfo(1, "S").source, "@(.*/)") or "./"
dofile(folder .. "report.lua")

local count = 10000
local requests = {}

function init()
  math.randomseed(1)
  for index = 0, count - 1 do
    requests[index] = wrk.format("GET", string.format("/many/%02d/%02d.txt", math.floor(index / 100), index % 100))
  end
end

function request()
  return requests[math.random(0, count - 1)]
end
