module github.com/cachebackends/cachebackends/tools/metrics

go 1.26.0

require (
	github.com/cachebackends/cachebackends/core v0.1.0
	github.com/cachebackends/cachebackends/guard v0.1.0
	github.com/cachebackends/cachebackends/loader v0.1.0
	github.com/cachebackends/cachebackends/observe v0.1.0
	github.com/cachebackends/cachebackends/observe/otel v0.1.0
	github.com/cachebackends/cachebackends/observe/prometheus v0.1.0
	github.com/cachebackends/cachebackends/simple v0.1.0
	github.com/prometheus/client_golang v1.23.2
	go.opentelemetry.io/otel v1.45.0
	go.opentelemetry.io/otel/sdk v1.45.0
	go.opentelemetry.io/otel/sdk/metric v1.45.0
	go.opentelemetry.io/otel/trace v1.45.0
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/prometheus/client_model v0.6.2 // indirect
	github.com/prometheus/common v0.66.1 // indirect
	github.com/prometheus/procfs v0.16.1 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel/metric v1.45.0 // indirect
	go.yaml.in/yaml/v2 v2.4.2 // indirect
	golang.org/x/sys v0.47.0 // indirect
	google.golang.org/protobuf v1.36.8 // indirect
)

replace (
	github.com/cachebackends/cachebackends/core => ../../core
	github.com/cachebackends/cachebackends/guard => ../../guard
	github.com/cachebackends/cachebackends/loader => ../../loader
	github.com/cachebackends/cachebackends/observe => ../../observe
	github.com/cachebackends/cachebackends/observe/otel => ../../observe/otel
	github.com/cachebackends/cachebackends/observe/prometheus => ../../observe/prometheus
	github.com/cachebackends/cachebackends/simple => ../../simple
)
