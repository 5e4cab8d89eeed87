package metrics

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	cacheotel "github.com/cachebackends/cachebackends/observe/otel"
)

// recorded has the spans that have ended, and starts those of a driver and a source.
type recorded struct {
	*tracetest.InMemoryExporter
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

func newRecorded() *recorded {
	r := &recorded{InMemoryExporter: tracetest.NewInMemoryExporter()}
	r.provider = sdk.NewTracerProvider(sdk.WithSyncer(r))
	r.tracer = r.provider.Tracer("test")
	return r
}

// in runs do in a span.
func (r *recorded) in(ctx context.Context, name string, do func(ctx context.Context)) {
	ctx, span := r.tracer.Start(ctx, name)
	defer span.End()
	do(ctx)
}

// tree returns each span as "parent>child".
func (r *recorded) tree() (paths []string) {
	names := map[trace.SpanID]string{}
	for _, s := range r.GetSpans() {
		names[s.SpanContext.SpanID()] = s.Name
	}
	for _, s := range r.GetSpans() {
		path := s.Name
		if parent := names[s.Parent.SpanID()]; parent != "" {
			path = parent + ">" + path
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// The spans of a driver are in those of the cache; those of a load are in the trace of
// the caller that started it.
func TestSpansAreNested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorded()
		c, store := cachetest.New(t, cache.WithTracer(cacheotel.Tracer(r.provider)))
		store.OnCall(func(ctx context.Context, op, _ string) error {
			r.in(ctx, "driver "+op, func(context.Context) {})
			return nil
		})
		load := func(ctx context.Context) (v int, _ error) {
			r.in(ctx, "SELECT", func(context.Context) { time.Sleep(time.Second) })
			return 1, nil
		}
		caller := func(name string) {
			r.in(t.Context(), name, func(ctx context.Context) { cache.Of[int](c).GetOrSet(ctx, "k", load) })
		}
		go caller("first")
		synctest.Wait()
		caller("second")
		synctest.Wait()
		want := []string{
			"first", "first>cache add", "first>cache get", "first>cache load", "cache add>driver add", "cache get>driver get", "cache load>SELECT",
			"second", "second>cache get", "second>cache wait", "cache get>driver get",
		}
		slices.Sort(want)
		if got := r.tree(); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestAttributesOfSpans(t *testing.T) {
	const secret = "customer-4711"
	r := newRecorded()
	c, store := cachetest.New(t, cache.WithTracer(cacheotel.Tracer(r.provider)))
	c.Set(t.Context(), secret, []byte("value of "+secret))
	c.GetMany(t.Context(), secret, "absent")
	c.Add(t.Context(), secret, nil)
	store.Fail("", "", cache.ErrFull)
	c.Set(t.Context(), secret, nil)
	for i, want := range []struct {
		name       string
		status     codes.Code
		attributes []attribute.KeyValue
	}{
		{"cache set", codes.Unset, []attribute.KeyValue{attribute.Int("cache.value.size", 22)}},
		{"cache get_many", codes.Unset, []attribute.KeyValue{attribute.Int("cache.hits", 1), attribute.Int("cache.misses", 1)}},
		{"cache add", codes.Unset, []attribute.KeyValue{attribute.Bool("cache.refused", true)}},
		{"cache set", codes.Error, []attribute.KeyValue{attribute.String("error.type", "full")}},
	} {
		got := r.GetSpans()[i]
		if got.Name != want.name || got.Status.Code != want.status || got.SpanKind != trace.SpanKindInternal {
			t.Errorf("got %s, %v, %v; want %s, %v", got.Name, got.Status, got.SpanKind, want.name, want.status)
		}
		want.attributes = append(want.attributes, attribute.String("cache.backend", "cachetest"), attribute.String("cache.operation.name", want.name[6:]))
		for _, a := range want.attributes {
			if !slices.Contains(got.Attributes, a) {
				t.Errorf("%s has the attributes %v, want %v", want.name, got.Attributes, a)
			}
		}
		for _, a := range got.Attributes {
			if strings.Contains(a.Value.Emit(), secret) {
				t.Errorf("the attribute %s of %s has a key: %s", a.Key, want.name, a.Value.Emit())
			}
		}
	}
}

// Observers see the span of the operation, for logs and exemplars.
func TestObserverIsInSpan(t *testing.T) {
	r := newRecorded()
	var seen trace.SpanContext
	c, _ := cachetest.New(t,
		cache.WithObserver(func(ctx context.Context, _ cache.Event) { seen = trace.SpanContextFromContext(ctx) }),
		cache.WithTracer(cacheotel.Tracer(r.provider)))
	c.Get(t.Context(), "k")
	if got := r.GetSpans()[0].SpanContext; !got.Equal(seen) {
		t.Errorf("the observer saw the span %v, want %v", seen.SpanID(), got.SpanID())
	}
}

// A load that panics ends its span.
func TestSpanOfAPanic(t *testing.T) {
	r := newRecorded()
	c, _ := cachetest.New(t, cache.WithTracer(cacheotel.Tracer(r.provider)))
	func() {
		defer func() { recover() }()
		cache.Of[int](c).GetOrSet(t.Context(), "k", func(context.Context) (int, error) { panic(errors.New("bug")) })
	}()
	if got := r.tree(); !slices.Contains(got, "cache load") {
		t.Errorf("got the spans %q", got)
	}
}
