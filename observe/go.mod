module github.com/cachebackends/cachebackends/observe

go 1.25.0

require github.com/cachebackends/cachebackends/core v0.1.0

replace github.com/cachebackends/cachebackends/core => ../core
