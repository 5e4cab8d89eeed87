package cacheotel

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/observe"
)

// Boundaries of the histograms, in seconds. Those of loads are of
// db.client.operation.duration; stores in memory need smaller ones as well.
var (
	loadBoundaries      = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}
	operationBoundaries = append([]float64{0.000001, 0.00001, 0.0001}, loadBoundaries...)
)

// Observer returns an observer that records metrics with provider, nil for the global one.
// It panics if provider rejects an instrument, which its SDK does only for a name or unit
// that is malformed.
func Observer(provider metric.MeterProvider) cache.Observer {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	meter := provider.Meter(scope)
	o := &observer{
		operations: histogram(meter, "cache.operation.duration", "Durations of calls of the store.", operationBoundaries),
		loads:      histogram(meter, "cache.load.duration", "Durations of loads.", loadBoundaries),
		waits:      histogram(meter, "cache.load.wait.duration", "Waits of callers for a load that another caller had started.", loadBoundaries),
		lookups:    counter(meter, "cache.lookups", "{key}", "Keys that were looked up, by result: hit, or miss (absent, or could not be read)."),
		bytes:      counter(meter, "cache.io", "By", "Bytes of encoded values, by direction: read or write."),
		refused:    counter(meter, "cache.refused_writes", "{write}", "Values that were not stored because the key was present, its value had changed, or a lease had ended."),
		stale:      counter(meter, "cache.stale_answers", "{answer}", "Answers of loaders with stale values."),
		events:     counter(meter, "cache.events", "{event}", "Events of backends that belong to no operation, such as breaker_open."),
	}
	return o.observe
}

func histogram(m metric.Meter, name, description string, boundaries []float64) metric.Float64Histogram {
	return must(m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(boundaries...)))
}

func counter(m metric.Meter, name, unit, description string) metric.Int64Counter {
	return must(m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description)))
}

func must[T any](instrument T, err error) T {
	if err != nil {
		panic("cacheotel: creating an instrument: " + err.Error())
	}
	return instrument
}

// observer has the instruments of a meter.
type observer struct {
	operations, loads, waits               metric.Float64Histogram
	lookups, bytes, refused, stale, events metric.Int64Counter

	labels observe.Table[call, labels]
}

// call is an operation of a backend with its result.
type call struct {
	backend, op string
	kind        observe.Kind
}

// labels are the attributes of the events of a call, as options that are made once.
type labels struct {
	operation []metric.RecordOption // backend, operation and error
	load      []metric.RecordOption // backend and error
	write     []metric.AddOption    // backend and operation
	hit, miss []metric.AddOption
	io        []metric.AddOption
	backend   []metric.AddOption
	event     []metric.AddOption
}

func newLabels(c call) *labels {
	backend, operation := backendKey.String(c.backend), operationKey.String(c.op)
	record := func(attributes ...attribute.KeyValue) []metric.RecordOption {
		if c.kind != observe.None {
			attributes = append(attributes, errorKey.String(string(c.kind)))
		}
		return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
	}
	add := func(attributes ...attribute.KeyValue) []metric.AddOption {
		return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
	}
	direction := "write"
	if observe.IsRead(c.op) {
		direction = "read"
	}
	return &labels{
		operation: record(backend, operation),
		load:      record(backend),
		write:     add(backend, operation),
		hit:       add(backend, operation, resultKey.String("hit")),
		miss:      add(backend, operation, resultKey.String("miss")),
		io:        add(backend, directionKey.String(direction)),
		backend:   add(backend),
		event:     add(backend, eventKey.String(c.op)),
	}
}

func (o *observer) observe(ctx context.Context, e cache.Event) {
	l := o.labels.Of(call{e.Backend, e.Op, observe.KindOf(e.Err)}, newLabels)
	switch observe.ClassOf(e) {
	case observe.Call:
		o.call(ctx, l, e)
	case observe.Load:
		o.loads.Record(ctx, e.Duration.Seconds(), l.load...)
	case observe.Wait:
		o.waits.Record(ctx, e.Duration.Seconds(), l.load...)
	case observe.Stale:
		o.stale.Add(ctx, 1, l.backend...)
	case observe.Notice:
		o.events.Add(ctx, 1, l.event...)
	}
}

func (o *observer) call(ctx context.Context, l *labels, e cache.Event) {
	o.operations.Record(ctx, e.Duration.Seconds(), l.operation...)
	hits, misses := observe.Lookups(e)
	if hits > 0 {
		o.lookups.Add(ctx, int64(hits), l.hit...)
	}
	if misses > 0 {
		o.lookups.Add(ctx, int64(misses), l.miss...)
	}
	if e.Bytes > 0 {
		o.bytes.Add(ctx, int64(e.Bytes), l.io...)
	}
	if e.Refused {
		o.refused.Add(ctx, 1, l.write...)
	}
}
