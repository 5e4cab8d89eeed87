package memory

import (
	"context"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/observe"
	cacheotel "github.com/cachebackends/cachebackends/observe/otel"
	cacheprom "github.com/cachebackends/cachebackends/observe/prometheus"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// Observed are reads of 500 entries through caches that differ in their observer or
// tracer.
func Observed(name string) []measure.Series {
	return []measure.Series{mix(name, "500", 0, workload.ValueSize, observed)}
}

// observed are simple-view with each observer and tracer. What one of them costs is the
// difference to none.
var observed = []peer{
	{"simple-none", "an observer: the same as simple-view", byEntries, throughCache(view)},
	{"simple-empty", "what an observer does: the cost of the event and of two readings of the clock", byEntries, withObserver(func() cache.Option {
		return cache.WithObserver(func(context.Context, cache.Event) {})
	})},
	{"simple-log", "messages: a hit is neither slow nor a failure; `observe.Log` with a `slog.TextHandler`", byEntries, withObserver(func() cache.Option {
		return cache.WithObserver(observe.Log(slog.New(slog.NewTextHandler(io.Discard, nil)), observe.LogOptions{}))
	})},
	{"simple-stats", "nothing: `observe.Stats`, which expvar publishes", byEntries, withObserver(func() cache.Option {
		return cache.WithObserver(new(observe.Stats).Observe)
	})},
	{"simple-prometheus", "nothing: `cacheprom.Observer`", byEntries, withObserver(func() cache.Option {
		return cache.WithObserver(cacheprom.Observer(prometheus.NewRegistry()))
	})},
	{"simple-otel-metrics", "an exporter: `cacheotel.Observer` with the SDK", byEntries, withObserver(func() cache.Option {
		return cache.WithObserver(cacheotel.Observer(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))))
	})},
	{"simple-otel-traces", "an exporter: `cacheotel.Tracer` with the SDK, every span sampled", byEntries, withObserver(func() cache.Option {
		return cache.WithTracer(cacheotel.Tracer(sdktrace.NewTracerProvider()))
	})},
	{"simple-otel-unsampled", "samples: `cacheotel.Tracer` with the SDK, no span sampled", byEntries, withObserver(func() cache.Option {
		return cache.WithTracer(cacheotel.Tracer(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))))
	})},
}

// withObserver opens view on a cache with an observer or tracer of its own.
func withObserver(observer func() cache.Option) func(capacity, valueSize int) store {
	return func(capacity, valueSize int) store { return throughCache(view, observer())(capacity, valueSize) }
}
