package cacheprom_test

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
	cacheprom "github.com/cachebackends/cachebackends/observe/prometheus"
)

// gather returns the series of reg as text, histograms with their count and sum.
func gather(t *testing.T, reg prometheus.Gatherer) map[string]string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]string{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			sort.Strings(labels)
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			switch {
			case m.GetCounter() != nil:
				series[name] = fmt.Sprint(m.GetCounter().GetValue())
			case m.GetGauge() != nil:
				series[name] = fmt.Sprint(m.GetGauge().GetValue())
			case m.GetHistogram() != nil:
				series[name] = fmt.Sprint(m.GetHistogram().GetSampleCount(), " ", m.GetHistogram().GetSampleSum())
			}
		}
	}
	return series
}

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		c, store := cachetest.New(t, cache.WithObserver(cacheprom.Observer(reg)))
		ctx := t.Context()
		c.Set(ctx, "k", []byte("12345"))
		c.GetMany(ctx, "k", "l", "m")
		c.Add(ctx, "k", nil)
		v := cache.Of[int](c)
		load := func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil }
		go v.GetOrSet(ctx, "loaded", load)
		synctest.Wait()
		v.GetOrSet(ctx, "loaded", load)
		v.GetOrSet(ctx, "broken", func(context.Context) (int, error) { return 1, errors.New("no database") })
		store.Slow("get", "", 2*time.Second)
		store.Fail("get", "", cache.ErrFull)
		c.Get(ctx, "k")
		c.Report(ctx, cache.Event{Op: cache.OpStale})
		c.Report(ctx, cache.Event{Op: "breaker_open", Err: cache.ErrUnavailable})
		got := gather(t, reg)
		for name, want := range map[string]string{
			"cache_operation_duration_seconds{backend=cachetest,op=get_many}":        "1 0",
			"cache_operation_duration_seconds{backend=cachetest,op=get}":             "4 0",
			"cache_lookups_total{backend=cachetest,op=get_many,result=hit}":          "1",
			"cache_lookups_total{backend=cachetest,op=get_many,result=miss}":         "2",
			"cache_lookups_total{backend=cachetest,op=get,result=hit}":               "0",
			"cache_value_bytes_total{backend=cachetest,direction=read}":              "5",
			"cache_value_bytes_total{backend=cachetest,direction=write}":             "6",
			"cache_refused_writes_total{backend=cachetest,op=add}":                   "1",
			"cache_load_duration_seconds{backend=cachetest,result=ok}":               "1 1",
			"cache_load_duration_seconds{backend=cachetest,result=error}":            "1 0",
			"cache_load_wait_duration_seconds{backend=cachetest}":                    "1 1",
			"cache_faults_total{backend=cachetest,kind=other,op=load}":               "1",
			"cache_faults_total{backend=cachetest,kind=full,op=get}":                 "1",
			"cache_stale_answers_total{backend=cachetest}":                           "1",
			"cache_events_total{backend=cachetest,event=breaker_open}":               "1",
			"cache_faults_total{backend=cachetest,kind=unavailable,op=breaker_open}": "1",
		} {
			if got[name] != want {
				t.Errorf("%s = %q, want %q", name, got[name], want)
			}
		}
	})
}

// Observers of one registerer share their metrics, also if it adds labels.
func TestObserverIsShared(t *testing.T) {
	reg := prometheus.NewRegistry()
	for _, name := range []string{"sessions", "pages", "sessions"} {
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"cache": name}, reg)
		cacheprom.Observer(labelled)(t.Context(), cache.Event{Op: "get", Backend: "b", Hits: 1, Duration: 1})
	}
	got := gather(t, reg)
	for name, want := range map[string]string{"sessions": "2", "pages": "1"} {
		if n := got["cache_lookups_total{backend=b,cache="+name+",op=get,result=hit}"]; n != want {
			t.Errorf("%s: got %q hits, want %s", name, n, want)
		}
	}
}

func TestObserverRejectsConflicts(t *testing.T) {
	reg := prometheus.NewRegistry()
	cacheprom.Observer(reg)
	defer func() {
		if recover() == nil {
			t.Error("no panic, although labels differ within one registry")
		}
	}()
	cacheprom.Observer(prometheus.WrapRegistererWith(prometheus.Labels{"cache": "sessions"}, reg))
}

// stater is a store with the statistics that a test sets.
type stater struct {
	*cachetest.Store
	stats driver.Stats
	err   error
}

func (s *stater) Stats(context.Context) (driver.Stats, error) { return s.stats, s.err }

func TestCollector(t *testing.T) {
	s := &stater{cachetest.NewStore(), driver.Stats{Entries: 3, Bytes: 100, MaxBytes: 1000, Evictions: 0, Expirations: 7, State: "half-open"}, nil}
	c := cache.New(s)
	reg := prometheus.NewRegistry()
	reg.MustRegister(cacheprom.Collector(c))
	want := func(series map[string]string) {
		t.Helper()
		if got, want := fmt.Sprint(gather(t, reg)), fmt.Sprint(series); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	b := "backend=" + c.Name()
	want(map[string]string{
		"cache_up{" + b + "}": "1", "cache_entries{" + b + "}": "3", "cache_size_bytes{" + b + "}": "100",
		"cache_size_limit_bytes{" + b + "}": "1000", "cache_evictions_total{" + b + "}": "0", "cache_expirations_total{" + b + "}": "7",
		"cache_breaker_state{" + b + ",state=closed}": "0", "cache_breaker_state{" + b + ",state=half-open}": "1", "cache_breaker_state{" + b + ",state=open}": "0",
	})
	s.stats = driver.UnknownStats
	s.stats.Entries = 0
	want(map[string]string{"cache_up{" + b + "}": "1", "cache_entries{" + b + "}": "0"})
	s.err = cache.ErrUnavailable
	want(map[string]string{"cache_up{" + b + "}": "0"})
	s.err = errors.ErrUnsupported
	want(map[string]string{})
}

// hit is a backend whose Get costs nothing.
type hit struct{ cache.Backend }

var value = []byte("value")

func (hit) Get(context.Context, string) ([]byte, bool, error) { return value, true, nil }

// A hit allocates nothing: its series are found without their labels.
func TestHitDoesNotAllocate(t *testing.T) {
	c := cache.New(hit{}, cache.WithObserver(cacheprom.Observer(prometheus.NewRegistry())))
	buffer := make([]byte, 0, 16)
	if n := testing.AllocsPerRun(100, func() { c.GetAppend(t.Context(), "k", buffer) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkHit measures a hit; the cost of the observer is the difference to none.
func BenchmarkHit(b *testing.B) {
	for name, options := range map[string][]cache.Option{
		"none":       nil,
		"prometheus": {cache.WithObserver(cacheprom.Observer(prometheus.NewRegistry()))},
	} {
		c := cache.New(hit{}, options...)
		buffer := make([]byte, 0, 16)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.GetAppend(b.Context(), "k", buffer)
			}
		})
	}
}
