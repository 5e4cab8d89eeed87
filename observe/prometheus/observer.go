package cacheprom

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/observe"
)

// Option adjusts [Observer].
type Option func(*buckets)

type buckets struct{ operation, load []float64 }

// OperationBuckets sets the upper bounds, in seconds, of the histogram of operations. The
// default has 13 from 1 microsecond to 17 seconds, each 4 times the last.
func OperationBuckets(bounds ...float64) Option { return func(b *buckets) { b.operation = bounds } }

// LoadBuckets sets the upper bounds, in seconds, of the histograms of loads and of waits
// for loads. The default has 13 from 1 millisecond to 17 seconds, each about 2.25 times
// the last.
func LoadBuckets(bounds ...float64) Option { return func(b *buckets) { b.load = bounds } }

// Observer registers metrics with reg and returns the observer that updates them. If they
// are registered with reg already, it returns an observer that shares them. It panics if
// reg rejects them, like [prometheus.Registerer.MustRegister].
func Observer(reg prometheus.Registerer, options ...Option) cache.Observer {
	b := buckets{prometheus.ExponentialBuckets(1e-6, 4, 13), prometheus.ExponentialBucketsRange(1e-3, 17, 13)}
	for _, option := range options {
		option(&b)
	}
	m := newMetrics(b)
	if err := reg.Register(m); err != nil {
		var already prometheus.AlreadyRegisteredError
		if !errors.As(err, &already) {
			panic(fmt.Errorf("cacheprom: registering the metrics of a cache: %w", err))
		}
		m = already.ExistingCollector.(*metrics) // no other collector has the same metrics
	}
	return m.observe
}

// metrics are those that an observer updates.
type metrics struct {
	operations *prometheus.HistogramVec
	lookups    *prometheus.CounterVec
	bytes      *prometheus.CounterVec
	faults     *prometheus.CounterVec
	refused    *prometheus.CounterVec
	loads      *prometheus.HistogramVec
	waits      *prometheus.HistogramVec
	stale      *prometheus.CounterVec
	events     *prometheus.CounterVec

	series observe.Table[call, series]
}

func newMetrics(b buckets) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	}
	return &metrics{
		operations: histogram("cache_operation_duration_seconds", "Durations of calls of the store.", b.operation, "backend", "op"),
		lookups:    counter("cache_lookups_total", "Keys that were looked up, by result: hit, or miss (absent, or could not be read).", "backend", "op", "result"),
		bytes:      counter("cache_value_bytes_total", "Bytes of encoded values, by direction: read or write.", "backend", "direction"),
		faults:     counter("cache_faults_total", "Failed operations, loads and waits for loads, by kind of error.", "backend", "op", "kind"),
		refused:    counter("cache_refused_writes_total", "Values that were not stored because the key was present, its value had changed, or a lease had ended.", "backend", "op"),
		loads:      histogram("cache_load_duration_seconds", "Durations of loads, by result: ok or error.", b.load, "backend", "result"),
		waits:      histogram("cache_load_wait_duration_seconds", "Waits of callers for a load that another caller had started.", b.load, "backend"),
		stale:      counter("cache_stale_answers_total", "Answers of loaders with stale values.", "backend"),
		events:     counter("cache_events_total", "Events of backends that belong to no operation, such as breaker_open.", "backend", "event"),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.operations, m.lookups, m.bytes, m.faults, m.refused, m.loads, m.waits, m.stale, m.events}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(descs chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(descs)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(values chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(values)
	}
}

func (m *metrics) observe(_ context.Context, e cache.Event) {
	class := observe.ClassOf(e)
	switch class {
	case observe.Call:
		m.call(e)
	case observe.Load:
		result := "ok"
		if e.Err != nil {
			result = "error"
		}
		m.loads.WithLabelValues(e.Backend, result).Observe(e.Duration.Seconds())
	case observe.Wait:
		m.waits.WithLabelValues(e.Backend).Observe(e.Duration.Seconds())
	case observe.Stale:
		m.stale.WithLabelValues(e.Backend).Inc()
	case observe.Notice:
		m.events.WithLabelValues(e.Backend, e.Op).Inc()
	}
	if e.Err != nil && class != observe.Notice {
		m.faults.WithLabelValues(e.Backend, e.Op, string(observe.KindOf(e.Err))).Inc()
	}
}

// call is an operation of a backend.
type call struct{ backend, op string }

// series are the metrics of a call. Finding them by their labels each time would cost
// more than all updates.
type series struct {
	duration            prometheus.Observer
	hits, misses, bytes prometheus.Counter
}

func (m *metrics) call(e cache.Event) {
	s := m.series.Of(call{e.Backend, e.Op}, m.newSeries)
	s.duration.Observe(e.Duration.Seconds())
	hits, misses := observe.Lookups(e)
	if hits > 0 {
		s.hits.Add(float64(hits))
	}
	if misses > 0 {
		s.misses.Add(float64(misses))
	}
	if e.Bytes > 0 {
		s.bytes.Add(float64(e.Bytes))
	}
	if e.Refused {
		m.refused.WithLabelValues(e.Backend, e.Op).Inc()
	}
}

func (m *metrics) newSeries(c call) *series {
	direction := "write"
	if observe.IsRead(c.op) {
		direction = "read"
	}
	s := &series{duration: m.operations.WithLabelValues(c.backend, c.op), bytes: m.bytes.WithLabelValues(c.backend, direction)}
	if observe.IsLookup(c.op) {
		s.hits, s.misses = m.lookups.WithLabelValues(c.backend, c.op, "hit"), m.lookups.WithLabelValues(c.backend, c.op, "miss")
	}
	return s
}
