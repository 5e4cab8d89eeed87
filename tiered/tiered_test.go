package tiered

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/tiered/internal/memory"
)

// Without notices and remaining TTLs there is no bound of staleness but NearTTL.
func TestNearTTLIsRequired(t *testing.T) {
	watching := memory.NewFar()
	for _, tt := range []struct {
		name string
		far  driver.Backend
		o    Options
		err  string
	}{
		{"notices and lives", memory.NewFar(), Options{}, ""},
		{"notices from elsewhere", memory.Lives{Far: memory.NewFar()}, Options{Watch: watching}, ""},
		{"no notices", memory.Lives{Far: memory.NewFar()}, Options{}, "missing: far reports no changes"},
		{"notices off", memory.NewFar(), Options{NoWatch: true}, "missing: without notices of changes"},
		{"some notices", partial{memory.NewFar()}, Options{}, "missing: far may not report every change"},
		{"some notices, with NearTTL", partial{memory.NewFar()}, Options{NearTTL: time.Second}, ""},
		{"some notices from elsewhere", memory.NewFar(), Options{Watch: partial{memory.NewFar()}}, "missing: far may not report every change"},
		{"some notices, forwarded", driver.Resolve(partial{memory.NewFar()}), Options{}, "missing: far may not report every change"},
		{"no notices, forwarded", driver.Resolve(memory.Lives{Far: memory.NewFar()}), Options{}, "missing: far reports no changes"},
		{"no lives, forwarded", driver.Resolve(memory.New().Plain()), Options{Watch: watching}, "missing: memory.plain does not report the remaining TTL"},
		{"no lives", memory.New().Plain(), Options{Watch: watching}, "missing: memory.plain does not report the remaining TTL"},
		{"nothing", memory.New().Plain(), Options{}, "missing: memory.plain reports no changes"},
		{"nothing, with NearTTL", memory.New().Plain(), Options{NearTTL: time.Second}, ""},
		{"negative", memory.NewFar(), Options{NearTTL: -1}, "CACHE_OPTIONS.near_ttl (Options.NearTTL): -1ns is too small"},
		{"short grace", memory.NewFar(), Options{Grace: 1}, "CACHE_OPTIONS.grace (Options.Grace): 1ns is too small"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := New(memory.New(), tt.far, tt.o)
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, driver.ErrInvalidSettings) || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want ErrInvalidSettings with %q", err, tt.err)
			}
		})
	}
}

// Far is not watched if it is a wrapper of a store that reports no changes: no warning is
// logged, and keys without the prefix are kept too.
func TestWrapperIsNotWatched(t *testing.T) {
	far := driver.Resolve(memory.Lives{Far: memory.NewFar()})
	b, err := New(memory.New(), far, Options{NearTTL: time.Minute, Prefix: "app:"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.stop != nil || b.near.prefix != "" {
		t.Error("far is watched")
	}
}

// eventful is a store of which Ping reports an event.
type eventful struct {
	memory.Far
	report *func(op string, err error)
}

func (e eventful) OnEvent(report func(op string, err error)) { *e.report = report }

func (e eventful) Ping(context.Context) error {
	if *e.report != nil {
		(*e.report)("breaker_open", errLink)
	}
	return nil
}

// The observer receives the events of far, such as those of a circuit breaker.
func TestEventsOfFar(t *testing.T) {
	far := eventful{memory.NewFar(), new(func(op string, err error))}
	b, err := New(memory.New(), far, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	c := cache.New(b, cache.WithObserver(func(_ context.Context, e cache.Event) {
		if e.Op == "breaker_open" && errors.Is(e.Err, errLink) {
			ops = append(ops, e.Op)
		}
	}))
	defer c.Close()
	if err := c.Ping(t.Context()); err != nil || len(ops) != 1 {
		t.Errorf("the observer received %q, %v", ops, err)
	}
}

// partial may not report every change.
type partial struct{ memory.Far }

func (partial) WatchIsPartial() bool { return true }

// An old entry of near, which another process or an earlier Backend has left, is never
// read.
func TestNewEmptiesNear(t *testing.T) {
	near, far := memory.New(), memory.NewFar()
	near.Set(t.Context(), "k", []byte("old"), 0)
	b, err := New(near, far, Options{NearTTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if value, ok, err := b.Get(t.Context(), "k"); ok || err != nil {
		t.Errorf("got %q, %v, %v; want a miss", value, ok, err)
	}
	near.Before(failing("clear", errLink))
	if _, err := New(near, far, Options{NearTTL: time.Minute}); !errors.Is(err, errLink) {
		t.Errorf("New with a near that cannot be emptied: got %v, want %v", err, errLink)
	}
}

// A batch asks far only for what is not near, in one call, and gives each key its value.
func TestGetMany(t *testing.T) {
	for name, far := range map[string]struct {
		wrap func(memory.Far) driver.Backend
		op   string
	}{
		"with TTLs":    {func(f memory.Far) driver.Backend { return f }, "get_many_ttl"},
		"without TTLs": {func(f memory.Far) driver.Backend { return f.Store }, "get_many"},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup{options: Options{NearTTL: time.Minute}, far: far.wrap}
			for _, failure := range run(t, s, func(w *world) {
				w.far.Silence(true)
				w.must(w.far.Set(w.ctx, "a", []byte("1"), 0))
				w.must(w.far.Set(w.ctx, "b", []byte(""), 0))
				w.must(w.far.Set(w.ctx, "c", []byte("3"), 0))
				get := func(want []string, calls ...string) {
					w.far.Calls()
					values, err := w.one.GetMany(w.ctx, []string{"a", "absent", "b", "c", "a"})
					if err != nil || len(values) != 5 || values[1] != nil || values[2] == nil || len(values[2]) != 0 {
						w.errorf("got %q, %v", values, err)
					}
					if got := string(bytes.Join(values, []byte(" "))); got != "1   3 1" {
						w.errorf("got %q", got)
					}
					if got := strings.Join(w.far.Calls(), ", "); got != strings.Join(want, ", ") {
						w.errorf("calls of far: got %q, want %q", got, want)
					}
				}
				w.read("c")
				get([]string{far.op + " a absent b a"})
				get([]string{far.op + " absent"})
				if values, err := w.one.GetMany(w.ctx, []string{"a", "b", "c"}); err != nil || len(values) != 3 || len(w.far.Calls()) != 0 {
					w.errorf("a batch that is near: got %q, %v, or calls of far", values, err)
				}
			}) {
				t.Error(failure)
			}
		})
	}
}

// A read of which some keys failed keeps the others near. A write does not: if one key
// is invalid, far has stored nothing.
func TestBatchFailsInPart(t *testing.T) {
	for _, failure := range run(t, bounded, func(w *world) {
		w.far.Before(func(op, key string) error {
			if op == "set" && key == "bad" {
				return driver.ErrFull
			}
			return nil
		})
		var batch *driver.BatchError
		err := w.one.SetMany(w.ctx, []driver.Item{{Key: "good", Value: []byte("1")}, {Key: "bad", Value: []byte("2")}}, 0)
		if !errors.As(err, &batch) || len(batch.Failed) != 1 {
			w.errorf("got %v, want the failure of one key", err)
		}
		w.want("bad", "", "far")
		w.want("good", "1", "far")
		w.b.near.changed("good")
		w.far.After(func(op, _ string) error {
			if op == "get_many_ttl" {
				return &driver.BatchError{Failed: []driver.KeyError{{Key: "bad", Err: driver.ErrCorrupt}}}
			}
			return nil
		})
		if _, err := w.one.GetMany(w.ctx, []string{"good", "bad"}); !errors.As(err, &batch) {
			w.errorf("got %v, want the failure of one key", err)
		}
		w.want("good", "1", "near")
	}) {
		t.Error(failure)
	}
}

func TestReads(t *testing.T) {
	for _, failure := range run(t, bounded, func(w *world) {
		for _, name := range []string{"GetAppend", "Has", "GetWithTTL", "GetManyWithTTL"} {
			w.must(w.one.Set(w.ctx, "k", []byte("1"), time.Minute))
			w.b.near.changed("k")
			for _, key := range []string{"absent", "k", "k"} {
				want := map[string]string{"k": "1"}[key]
				var got string
				var left time.Duration
				var err error
				switch name {
				case "GetAppend":
					var value []byte
					var ok bool
					value, ok, err = w.one.GetAppend(w.ctx, key, []byte("x"))
					got = strings.TrimPrefix(string(value), "x")
					if ok != (want != "") || value[0] != 'x' {
						w.errorf("GetAppend of %s: got %q, %v", key, value, ok)
					}
				case "Has":
					var ok bool
					if ok, err = w.one.Has(w.ctx, key); ok {
						got = "1"
					}
				case "GetWithTTL":
					var value []byte
					value, left, _, err = w.one.GetWithTTL(w.ctx, key)
					got = string(value)
				case "GetManyWithTTL":
					var values [][]byte
					var ttls []time.Duration
					values, ttls, err = w.one.GetManyWithTTL(w.ctx, []string{key})
					got, left = string(values[0]), ttls[0]
				}
				if got != want || err != nil {
					w.errorf("%s of %s: got %q, %v; want %q", name, key, got, err, want)
				}
				if strings.HasSuffix(name, "TTL") && want != "" && left != time.Minute {
					w.errorf("%s of %s: got the TTL %v, want a minute", name, key, left)
				}
			}
			if name != "Has" {
				w.want("k", "1", "near")
			}
		}
	}) {
		t.Error(failure)
	}
}

// listing is a far store that lists one entry.
type listing struct{ memory.Far }

func (listing) Scan(_ context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) { yield(driver.Entry{Key: prefix + "1", Size: 3}, nil) }
}

// Scan lists what is in far, not what is near.
func TestScan(t *testing.T) {
	for _, failure := range run(t, setup{far: func(far memory.Far) driver.Backend { return listing{far} }}, func(w *world) {
		if err := w.one.Set(w.ctx, "near", []byte("1"), 0); err != nil {
			w.errorf("Set: %v", err)
		}
		var list []driver.Entry
		for entry, err := range w.one.Scan(w.ctx, "user:") {
			if err != nil {
				w.errorf("Scan: %v", err)
			}
			list = append(list, entry)
		}
		if len(list) != 1 || list[0] != (driver.Entry{Key: "user:1", Size: 3}) {
			w.errorf("Scan lists %v", list)
		}
	}) {
		t.Error(failure)
	}
}

// What far does not support is unsupported.
func TestUnsupported(t *testing.T) {
	b, err := New(memory.New(), memory.New().Plain(), Options{NearTTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx := t.Context()
	_, errInc := b.Inc(ctx, "k", 1, 0)
	_, _, errTTL := b.TTL(ctx, "k")
	_, _, _, errLife := b.GetWithTTL(ctx, "k")
	_, _, errLives := b.GetManyWithTTL(ctx, []string{"k"})
	_, errSwap := b.CompareAndSwap(ctx, "k", nil, nil, 0)
	_, _, _, errLease := b.Lease(ctx, "k", time.Second)
	_, errStats := b.Stats(ctx)
	_, errNear := b.NearStats(ctx)
	var errScan error
	for _, errScan = range b.Scan(ctx, "") {
	}
	for name, err := range map[string]error{
		"Inc": errInc, "TTL": errTTL, "GetWithTTL": errLife, "GetManyWithTTL": errLives, "CompareAndSwap": errSwap,
		"Lease": errLease, "ClearPrefix": b.ClearPrefix(ctx, "k"), "Stats": errStats, "NearStats": errNear, "Scan": errScan,
	} {
		if !driver.IsUnsupported(err) {
			t.Errorf("%s: got %v, want errors.ErrUnsupported", name, err)
		}
	}
	if err := b.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

// The pauses between calls of Watch grow to their limit, and OnLost receives each error.
func TestWatchIsBegunAgain(t *testing.T) {
	var lost atomic.Int32
	s := setup{options: Options{OnLost: func(err error) {
		if lost.Add(1); !errors.Is(err, errLink) {
			panic(err)
		}
	}}}
	for _, failure := range run(t, s, func(w *world) {
		w.far.Before(failing("watch", errLink))
		w.far.Cut(errLink)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := lost.Load(); n < 15 || n > 40 {
			w.errorf("Watch was called %d times in a minute", n)
		}
		if w.b.Watching() {
			w.errorf("Watching is true during an outage")
		}
		w.far.Before(nil)
		time.Sleep(maxPause)
		synctest.Wait()
		if !w.b.Watching() {
			w.errorf("Watching is false after the outage")
		}
	}) {
		t.Error(failure)
	}
}

// Without OnLost one warning is logged for an outage, not one for each attempt.
func TestLostIsLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	synctest.Test(t, func(t *testing.T) {
		far := memory.NewFar()
		b, err := New(memory.New(), far, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		for range 2 {
			synctest.Wait()
			far.Clear(t.Context()) // no reason for a warning
			time.Sleep(maxPause)
			far.Before(failing("watch", errLink))
			far.Cut(memory.ErrCut)
			time.Sleep(time.Minute)
			far.Before(nil)
			time.Sleep(maxPause)
		}
	})
	if n := strings.Count(log.String(), "no notices of changes"); n != 2 {
		t.Errorf("%d warnings for two outages:\n%s", n, log.String())
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
		near, far := memory.New(), memory.NewFar()
		b, err := New(near, far, Options{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.Set(t.Context(), "k", []byte("1"), 0)
		for range 2 {
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if far.Watching() != 0 {
			t.Error("the watch goes on")
		}
		if _, _, err := b.Get(t.Context(), "k"); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("Get after Close: got %v, want ErrClosed", err)
		}
		if err := b.Set(t.Context(), "k", nil, 0); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("Set after Close: got %v, want ErrClosed", err)
		}
		if _, err := near.Delete(t.Context(), "k"); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("near after Close: got %v, want ErrClosed", err)
		}
	})
}

// A panic of far leaves no call behind that would keep its key from being kept.
func TestFarPanics(t *testing.T) {
	for _, failure := range run(t, bounded, func(w *world) {
		for _, op := range []string{"set", "get_ttl"} {
			w.far.Before(func(called, _ string) error {
				if called == op {
					panic("far")
				}
				return nil
			})
			func() {
				defer func() { _ = recover() }()
				if op == "set" {
					_ = w.one.Set(w.ctx, "k", []byte("1"), 0)
				}
				_, _, _ = w.one.Get(w.ctx, "k")
			}()
			w.far.Before(nil)
			w.must(w.one.Set(w.ctx, "k", []byte("1"), 0))
			w.want("k", "1", "near")
			w.b.near.changed("k")
		}
		for i := range w.b.near.stripes {
			if n := len(w.b.near.stripes[i].keys); n != 0 {
				w.errorf("%d calls are registered after their end", n)
			}
		}
	}) {
		t.Error(failure)
	}
}

func TestOpen(t *testing.T) {
	registerMemory(t)
	near, far := map[string]any{"CACHE_TYPE": "tiered-test"}, map[string]any{"CACHE_TYPE": "tiered-test-far", "CACHE_TIERED_TEST_PASSWORD": "hunter2"}
	ctx := context.Background()
	c, err := cache.Open(ctx, cache.FromMap(map[string]any{
		"CACHE_TYPE": "tiered", "CACHE_KEY_PREFIX": "app:",
		"CACHE_OPTIONS": map[string]any{"near": near, "far": far, "grace": 3, "near_ttl": "1m"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := c.Backend().(*Backend).options
	if o.Prefix != "app:" || o.Grace != 3*time.Second || o.NearTTL != time.Minute || c.Name() != "tiered(far)" {
		t.Errorf("got %+v of %s", o, c.Name())
	}
	for _, tt := range []struct{ name, options, err string }{
		{"no near", `{"far": {"CACHE_TYPE": "tiered-test-far"}}`, "CACHE_OPTIONS.near: missing"},
		{"not registered", `{"near": {"CACHE_TYPE": "simple"}, "far": {"CACHE_TYPE": "redis"}}`, "go get github.com/cachebackends/cachebackends/redis"},
		{"no near_ttl", `{"near": {"CACHE_TYPE": "tiered-test"}, "far": {"CACHE_TYPE": "tiered-test"}}`,
			"CACHE_OPTIONS.near_ttl (Options.NearTTL): missing: memory.Store reports no changes, so that it is the bound of staleness"},
		{"notices off", `{"near": {"CACHE_TYPE": "tiered-test"}, "far": {"CACHE_TYPE": "tiered-test-far"}, "no_watch": true}`, "missing: without notices"},
		{"a secret", `{"near": {"CACHE_TYPE": "tiered-test"}, "far": {"CACHE_TYPE": "tiered-test-far", "CACHE_TIERED_TEST_PASWORD": "hunter2"}}`,
			"CACHE_OPTIONS.far.CACHE_TIERED_TEST_PASWORD: no such setting; did you mean CACHE_TIERED_TEST_PASSWORD?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cache.Open(ctx, cache.FromEnv([]string{"CACHE_TYPE=tiered", "CACHE_OPTIONS=" + tt.options}))
			if !errors.Is(err, cache.ErrInvalidSettings) || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want ErrInvalidSettings with %q", err, tt.err)
			}
		})
	}
}

var registered atomic.Bool

func registerMemory(t *testing.T) {
	t.Helper()
	if registered.Swap(true) {
		return // -count
	}
	type settings struct {
		Password driver.Secret `setting:"CACHE_TIERED_TEST_PASSWORD"`
	}
	register := func(name string, b func() driver.Backend) {
		driver.Register(driver.Info{Types: []string{name}, Settings: settings{}, Open: func(_ context.Context, s *driver.Settings) (driver.Backend, error) {
			var given settings
			s.Bind(&given)
			if err := s.Check(nil); err != nil {
				return nil, err
			}
			return b(), nil
		}})
	}
	register("tiered-test", func() driver.Backend { return memory.New() })
	register("tiered-test-far", func() driver.Backend { return memory.NewFar() })
}
