package cacheotel

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/observe"
)

// scope is the name of the instrumentation.
const scope = "github.com/cachebackends/cachebackends/observe/otel"

const (
	backendKey   = attribute.Key("cache.backend")
	operationKey = attribute.Key("cache.operation.name")
	errorKey     = attribute.Key("error.type")
	resultKey    = attribute.Key("cache.lookup.result")
	directionKey = attribute.Key("cache.io.direction")
	eventKey     = attribute.Key("cache.event.name")
	stateKey     = attribute.Key("cache.breaker.state")
	hitsKey      = attribute.Key("cache.hits")
	missesKey    = attribute.Key("cache.misses")
	sizeKey      = attribute.Key("cache.value.size")
	refusedKey   = attribute.Key("cache.refused")
)

// Tracer returns a tracer for [cache.WithTracer] whose spans are those of provider, nil
// for the global one. A failed operation sets the status of its span; misses and refused
// writes do not. The description of the status is the text of the error, which may name a
// key, never a value.
func Tracer(provider trace.TracerProvider) cache.Tracer {
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	return &tracer{Tracer: provider.Tracer(scope)}
}

type tracer struct {
	trace.Tracer
	spans observe.Table[operation, span]
}

// operation is what a span describes.
type operation struct{ op, backend string }

// span is the name and the attributes with which a span begins.
type span struct {
	name    string
	options []trace.SpanStartOption
}

func newSpan(o operation) *span {
	attributes := trace.WithAttributes(backendKey.String(o.backend), operationKey.String(o.op))
	return &span{"cache " + o.op, []trace.SpanStartOption{attributes}}
}

// Begin implements cache.Tracer.
func (t *tracer) Begin(ctx context.Context, op, backend string) context.Context {
	s := t.spans.Of(operation{op, backend}, newSpan)
	ctx, _ = t.Start(ctx, s.name, s.options...)
	return ctx
}

// End implements cache.Tracer.
func (t *tracer) End(ctx context.Context, e cache.Event) {
	span := trace.SpanFromContext(ctx)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	attributes := make([]attribute.KeyValue, 0, 5)
	hits, misses := observe.Lookups(e)
	if hits+misses > 0 {
		attributes = append(attributes, hitsKey.Int(hits), missesKey.Int(misses))
	}
	if e.Bytes > 0 {
		attributes = append(attributes, sizeKey.Int(e.Bytes))
	}
	if e.Refused {
		attributes = append(attributes, refusedKey.Bool(true))
	}
	if e.Err != nil {
		attributes = append(attributes, errorKey.String(string(observe.KindOf(e.Err))))
		span.SetStatus(codes.Error, e.Err.Error())
	}
	span.SetAttributes(attributes...)
}
