package observe_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/observe"
)

// hit is a backend whose Get costs nothing, so that only the observer is measured.
type hit struct{ cache.Backend }

var value = []byte("value")

func (hit) Get(context.Context, string) ([]byte, bool, error) { return value, true, nil }

// BenchmarkHit measures a hit with each observer; the cost of an observer is the
// difference to none.
func BenchmarkHit(b *testing.B) {
	var stats observe.Stats
	log := observe.Log(slog.New(slog.NewTextHandler(io.Discard, nil)), observe.LogOptions{})
	for _, tt := range []struct {
		name    string
		options []cache.Option
	}{
		{"none", nil},
		{"empty", []cache.Option{cache.WithObserver(func(context.Context, cache.Event) {})}},
		{"stats", []cache.Option{cache.WithObserver(stats.Observe)}},
		{"log", []cache.Option{cache.WithObserver(log)}},
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
