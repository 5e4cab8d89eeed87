package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/simple"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// metrics exports the events of a cache's observer to Prometheus.
type metrics struct {
	lookups   *prometheus.CounterVec
	durations *prometheus.HistogramVec
	failures  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cache_lookups_total", Help: "Keys looked up, by result."}, []string{"backend", "result"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cache_operation_seconds", Help: "Durations of operations.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 10, 7)}, []string{"backend", "op"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cache_failures_total", Help: "Failed operations, by kind."}, []string{"backend", "op", "kind"}),
	}
	r.MustRegister(m.lookups, m.durations, m.failures)
	return m
}

func (m *metrics) observe(_ context.Context, e cache.Event) {
	m.lookups.WithLabelValues(e.Backend, "hit").Add(float64(e.Hits))
	m.lookups.WithLabelValues(e.Backend, "miss").Add(float64(e.Misses))
	m.durations.WithLabelValues(e.Backend, e.Op).Observe(e.Duration.Seconds())
	switch {
	case e.Err == nil:
	case errors.Is(e.Err, cache.ErrUnavailable):
		m.failures.WithLabelValues(e.Backend, e.Op, "unavailable").Inc()
	default:
		m.failures.WithLabelValues(e.Backend, e.Op, "other").Inc()
	}
}

// The observer of a cache reports hits, misses, durations and failures to
// Prometheus, whatever the backend.
func Example_prometheus() {
	ctx := context.Background()
	registry := prometheus.NewRegistry()
	backend, err := simple.New(ctx, simple.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := cache.New(backend, cache.WithObserver(newMetrics(registry).observe))
	defer c.Close()

	c.Get(ctx, "greeting")
	c.Set(ctx, "greeting", []byte("hello"))
	c.GetMany(ctx, "greeting", "name")

	families, _ := registry.Gather()
	for _, family := range families {
		if family.GetName() == "cache_lookups_total" {
			expfmt.MetricFamilyToText(os.Stdout, family)
		}
	}
	// Output:
	// # HELP cache_lookups_total Keys looked up, by result.
	// # TYPE cache_lookups_total counter
	// cache_lookups_total{backend="simple",result="hit"} 1
	// cache_lookups_total{backend="simple",result="miss"} 2
}
