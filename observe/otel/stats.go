package cacheotel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	cache "github.com/cachebackends/cachebackends/core"
)

// states are those of the circuit breaker in driver.Stats.
var states = []string{"closed", "half-open", "open"}

// Register reports [cache.Cache.Stats] of c in each collection of provider, nil for the
// global one, until stop is called: one call of the store. A number that the store does
// not know is not reported, and nothing if the backend has no statistics. Other failures
// are returned to the SDK, which reports them to its error handler.
func Register(provider metric.MeterProvider, c *cache.Cache) (stop func() error, err error) {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	meter := provider.Meter(scope)
	var failures []error
	gauge := func(name, unit, description string) metric.Int64ObservableUpDownCounter {
		i, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		failures = append(failures, err)
		return i
	}
	counter := func(name, unit, description string) metric.Int64ObservableCounter {
		i, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		failures = append(failures, err)
		return i
	}
	entries := gauge("cache.entries", "{entry}", "Entries in the store.")
	size := gauge("cache.size", "By", "Memory or disk space of the entries.")
	limit := gauge("cache.size.limit", "By", "Bound of cache.size.")
	evictions := counter("cache.evictions", "{entry}", "Entries that the store removed to keep within a bound.")
	expirations := counter("cache.expirations", "{entry}", "Entries that the store removed because they had expired.")
	breaker := gauge("cache.breaker", "1", "1 for the state of the circuit breaker: closed, half-open or open; 0 for the others.")
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	backend := metric.WithAttributes(backendKey.String(c.Name()))
	report := func(ctx context.Context, o metric.Observer) error {
		stats, err := c.Stats(ctx)
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, n := range []struct {
			instrument metric.Int64Observable
			value      int64
		}{{entries, stats.Entries}, {size, stats.Bytes}, {evictions, stats.Evictions}, {expirations, stats.Expirations}} {
			if n.value >= 0 {
				o.ObserveInt64(n.instrument, n.value, backend)
			}
		}
		if stats.MaxBytes > 0 {
			o.ObserveInt64(limit, stats.MaxBytes, backend)
		}
		observeState(o, breaker, c.Name(), stats.State)
		return nil
	}
	registration, err := meter.RegisterCallback(report, entries, size, limit, evictions, expirations, breaker)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

func observeState(o metric.Observer, breaker metric.Int64Observable, backend, current string) {
	if current == "" {
		return
	}
	for _, state := range states {
		is := int64(0)
		if state == current {
			is = 1
		}
		o.ObserveInt64(breaker, is, metric.WithAttributeSet(attribute.NewSet(backendKey.String(backend), stateKey.String(state))))
	}
}
