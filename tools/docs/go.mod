module github.com/cachebackends/cachebackends/tools/docs

go 1.26.0

require (
	github.com/alicebob/miniredis/v2 v2.38.0
	github.com/cachebackends/cachebackends/core v0.1.0
	github.com/cachebackends/cachebackends/flask v0.1.0
	github.com/cachebackends/cachebackends/guard v0.1.0
	github.com/cachebackends/cachebackends/loader v0.1.0
	github.com/cachebackends/cachebackends/redis v0.1.0
	github.com/cachebackends/cachebackends/simple v0.1.0
	github.com/cachebackends/cachebackends/tiered v0.1.0
	github.com/campoy/embedmd v1.0.0
	github.com/eko/gocache/lib/v4 v4.2.3
	github.com/eko/gocache/store/redis/v4 v4.2.2
	github.com/go-redis/cache/v9 v9.0.0
	github.com/patrickmn/go-cache v2.1.0+incompatible
	github.com/redis/go-redis/v9 v9.23.0
	github.com/yuin/goldmark v1.8.6
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/golang/mock v1.6.0 // indirect
	github.com/klauspost/compress v1.18.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_golang v1.23.2 // indirect
	github.com/prometheus/client_model v0.6.2 // indirect
	github.com/prometheus/common v0.67.4 // indirect
	github.com/prometheus/procfs v0.19.2 // indirect
	github.com/vmihailenco/go-tinylfu v0.2.2 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	github.com/yuin/gopher-lua v1.1.1 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	go.yaml.in/yaml/v2 v2.4.3 // indirect
	golang.org/x/exp v0.0.0-20251209150349-8475f28825e9 // indirect
	golang.org/x/sync v0.19.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	google.golang.org/protobuf v1.36.10 // indirect
)

replace (
	github.com/cachebackends/cachebackends/core => ../../core
	github.com/cachebackends/cachebackends/flask => ../../flask
	github.com/cachebackends/cachebackends/guard => ../../guard
	github.com/cachebackends/cachebackends/loader => ../../loader
	github.com/cachebackends/cachebackends/redis => ../../redis
	github.com/cachebackends/cachebackends/simple => ../../simple
	github.com/cachebackends/cachebackends/tiered => ../../tiered
)
