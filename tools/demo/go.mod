module github.com/cachebackends/cachebackends/tools/demo

go 1.26.0

require (
	github.com/cachebackends/cachebackends/core v0.1.0
	github.com/cachebackends/cachebackends/simple v0.1.0
)

replace (
	github.com/cachebackends/cachebackends/core => ../../core
	github.com/cachebackends/cachebackends/simple => ../../simple
)
