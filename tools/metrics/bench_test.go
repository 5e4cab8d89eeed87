package metrics

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/observe"
	cacheotel "github.com/cachebackends/cachebackends/observe/otel"
	cacheprom "github.com/cachebackends/cachebackends/observe/prometheus"
)

// hit is a backend whose Get costs nothing.
type hit struct{ cache.Backend }

var value = []byte("value")

func (hit) Get(context.Context, string) ([]byte, bool, error) { return value, true, nil }

// BenchmarkHit measures a hit with each observer and tracer in one run. What one of them
// costs is the difference to none; "empty" is an observer that does nothing, and has the
// cost of the two readings of the clock.
func BenchmarkHit(b *testing.B) {
	var stats observe.Stats
	log := observe.Log(slog.New(slog.NewTextHandler(io.Discard, nil)), observe.LogOptions{})
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	always := sdktrace.NewTracerProvider()
	for _, tt := range []struct {
		name    string
		options []cache.Option
	}{
		{"none", nil},
		{"empty", []cache.Option{cache.WithObserver(func(context.Context, cache.Event) {})}},
		{"stats", []cache.Option{cache.WithObserver(stats.Observe)}},
		{"log", []cache.Option{cache.WithObserver(log)}},
		{"prometheus", []cache.Option{cache.WithObserver(cacheprom.Observer(prometheus.NewRegistry()))}},
		{"otel-metrics", []cache.Option{cache.WithObserver(cacheotel.Observer(meters))}},
		{"otel-traces-unsampled", []cache.Option{cache.WithTracer(cacheotel.Tracer(never))}},
		{"otel-traces-sampled", []cache.Option{cache.WithTracer(cacheotel.Tracer(always))}},
	} {
		c := cache.New(hit{}, tt.options...)
		buffer := make([]byte, 0, 16)
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.GetAppend(b.Context(), "k", buffer)
			}
		})
	}
}
