module github.com/cachebackends/cachebackends/core

go 1.25.0
