module github.com/cachebackends/cachebackends/memcached

go 1.25.0

require (
	github.com/bradfitz/gomemcache v0.0.0-20260422231931-4d751bb6e37c
	github.com/cachebackends/cachebackends/core v0.1.0
)

replace github.com/cachebackends/cachebackends/core => ../core
