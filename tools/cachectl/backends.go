package main

import (
	_ "github.com/cachebackends/cachebackends/filesystem"
	_ "github.com/cachebackends/cachebackends/memcached"
	_ "github.com/cachebackends/cachebackends/null"
	_ "github.com/cachebackends/cachebackends/redis"
	_ "github.com/cachebackends/cachebackends/simple"
	_ "github.com/cachebackends/cachebackends/uwsgi"
)
