package cacheprom

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	cache "github.com/cachebackends/cachebackends/core"
)

// statsTimeout bounds Stats in a scrape, whose own timeout is 10 seconds by default.
const statsTimeout = 5 * time.Second

// states are those of the circuit breaker in driver.Stats.
var states = []string{"closed", "half-open", "open"}

// Collector returns a collector of [cache.Cache.Stats] of c: one call of the store per
// scrape, which may take 5 seconds. A number that the store does not know is not exported.
// If the call fails, only cache_up is, with the value 0; if the backend has no statistics,
// nothing is.
func Collector(c *cache.Cache) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, prometheus.Labels{"backend": c.Name()})
	}
	return &collector{
		cache:       c,
		up:          desc("cache_up", "1 if the store has answered the request for its statistics, else 0."),
		entries:     desc("cache_entries", "Entries in the store."),
		bytes:       desc("cache_size_bytes", "Memory or disk space of the entries."),
		maxBytes:    desc("cache_size_limit_bytes", "Bound of cache_size_bytes."),
		evictions:   desc("cache_evictions_total", "Entries that the store removed to keep within a bound."),
		expirations: desc("cache_expirations_total", "Entries that the store removed because they had expired."),
		breaker:     desc("cache_breaker_state", "1 for the state of the circuit breaker: closed, half-open or open; 0 for the others.", "state"),
	}
}

type collector struct {
	cache *cache.Cache

	up, entries, bytes, maxBytes, evictions, expirations, breaker *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.entries, c.bytes, c.maxBytes, c.evictions, c.expirations, c.breaker} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(values chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), statsTimeout)
	defer stop()
	stats, err := c.cache.Stats(ctx)
	send := func(d *prometheus.Desc, t prometheus.ValueType, n int64, labels ...string) {
		if n >= 0 {
			values <- prometheus.MustNewConstMetric(d, t, float64(n), labels...)
		}
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return
	case err != nil:
		send(c.up, prometheus.GaugeValue, 0)
		return
	}
	send(c.up, prometheus.GaugeValue, 1)
	send(c.entries, prometheus.GaugeValue, stats.Entries)
	send(c.bytes, prometheus.GaugeValue, stats.Bytes)
	if stats.MaxBytes > 0 {
		send(c.maxBytes, prometheus.GaugeValue, stats.MaxBytes)
	}
	send(c.evictions, prometheus.CounterValue, stats.Evictions)
	send(c.expirations, prometheus.CounterValue, stats.Expirations)
	if stats.State != "" {
		for _, state := range states {
			is := int64(0)
			if state == stats.State {
				is = 1
			}
			send(c.breaker, prometheus.GaugeValue, is, state)
		}
	}
}
