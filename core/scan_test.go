package cache_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// lister lists entries as they are, whatever the prefix, and then err.
type lister struct {
	*fake
	entries []driver.Entry
	err     error
	prefix  string // of the last scan
	ended   int    // scans that have ended
}

func (l *lister) Scan(_ context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	l.prefix = prefix
	return func(yield func(driver.Entry, error) bool) {
		defer func() { l.ended++ }()
		for _, entry := range l.entries {
			if !yield(entry, nil) {
				return
			}
		}
		if l.err != nil && yield(driver.Entry{Key: "beside an error"}, l.err) {
			yield(driver.Entry{Key: "after an error"}, nil)
		}
	}
}

// pair is what a loop over Scan receives.
type pair struct {
	Entry driver.Entry
	Err   error
}

func collect(list iter.Seq2[driver.Entry, error]) (pairs []pair) {
	for entry, err := range list {
		pairs = append(pairs, pair{entry, err})
	}
	return pairs
}

func keysOf(t *testing.T, list iter.Seq2[driver.Entry, error]) (keys []string) {
	t.Helper()
	for entry, err := range list {
		must(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

func TestScanPrefix(t *testing.T) {
	entries := []driver.Entry{{Key: "p:user:1", TTL: time.Minute, Size: 5}, {Key: "p:user:2", Size: -1}}
	l := &lister{fake: newFake(), entries: entries}
	c := cache.New(l, cache.WithPrefix("p:"))
	want := []pair{{driver.Entry{Key: "user:1", TTL: time.Minute, Size: 5}, nil}, {driver.Entry{Key: "user:2", Size: -1}, nil}}
	if got := collect(c.Scan(t.Context(), "user:")); !reflect.DeepEqual(got, want) || l.prefix != "p:user:" {
		t.Errorf("Scan = %v of the prefix %q", got, l.prefix)
	}
	l.entries = append(l.entries, driver.Entry{Key: "p:"}) // no operation of c can have stored it
	if got := keysOf(t, c.Scan(t.Context(), "")); !slices.Equal(got, []string{"user:1", "user:2"}) {
		t.Errorf("Scan lists %q", got)
	}
	if got := keysOf(t, cache.New(l).Scan(t.Context(), "p:")); len(got) != 3 {
		t.Errorf("Scan without a prefix lists %q", got)
	}
}

// An error is the last pair, beside a zero Entry; also if the backend goes on, and if
// errors are ignored.
func TestScanErrors(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	outside := []driver.Entry{{Key: "p:a"}, {Key: "q:b"}, {Key: "p:c"}}
	for name, tt := range map[string]struct {
		ctx     context.Context
		backend cache.Backend
		listed  int
		want    error
	}{
		"outage":             {t.Context(), &lister{fake: newFake(), entries: outside[:1], err: errDown}, 1, errDown},
		"outside the prefix": {t.Context(), &lister{fake: newFake(), entries: outside}, 1, cache.ErrCorrupt},
		"not the prefix":     {t.Context(), &lister{fake: newFake(), entries: []driver.Entry{{Key: "p:b"}}}, 0, cache.ErrCorrupt},
		"unsupported":        {t.Context(), newFake(), 0, errors.ErrUnsupported},
		"done":               {done, &lister{fake: newFake(), entries: outside[:1]}, 0, context.Canceled},
	} {
		for _, options := range [][]cache.Option{nil, {cache.WithIgnoreErrors()}} {
			c := cache.New(tt.backend, append(options, cache.WithPrefix("p:"))...)
			got := collect(c.Scan(tt.ctx, "a"))
			if len(got) != tt.listed+1 {
				t.Fatalf("%s: Scan = %v", name, got)
			}
			last := got[tt.listed]
			var e *cache.Error
			if !errors.Is(last.Err, tt.want) || !errors.As(last.Err, &e) || e.Op != "scan" || last.Entry != (driver.Entry{}) {
				t.Errorf("%s: the last pair is %v, want %v", name, last, tt.want)
			}
		}
	}
}

func TestScanEndsEarly(t *testing.T) {
	var r recorder
	l := &lister{fake: newFake(), entries: []driver.Entry{{Key: "a"}, {Key: "b"}, {Key: "c"}}, err: errDown}
	c := cache.New(l, cache.WithObserver(r.observe))
	scan := c.Scan(t.Context(), "")
	if l.ended != 0 || len(r.events) != 0 {
		t.Error("Scan calls the backend before a loop")
	}
	for range 2 { // each loop is a scan
		n := 0
		for range scan {
			if n++; n == 2 {
				break
			}
		}
		if got := r.last(t); got != (cache.Event{Op: "scan", Backend: "cache_test.lister", Hits: 2}) {
			t.Errorf("the observer received %+v", got)
		}
	}
	if l.ended != 2 {
		t.Errorf("%d of 2 scans have ended", l.ended)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pairs := 0
	for _, err := range c.Scan(ctx, "") {
		if pairs++; pairs == 2 && !errors.Is(err, context.Canceled) {
			t.Errorf("after a cancellation: %v", err)
		}
		cancel()
	}
	if e := r.last(t); pairs != 2 || e.Hits != 1 || !errors.Is(e.Err, context.Canceled) {
		t.Errorf("%d pairs, the observer received %+v", pairs, e)
	}
}

// An observer is called once per scan, at its end.
func TestScanObserver(t *testing.T) {
	var r recorder
	l := &lister{fake: newFake(), entries: []driver.Entry{{Key: "a"}, {Key: "b"}}}
	c := cache.New(l, cache.WithObserver(r.observe), cache.WithIgnoreErrors())
	for range c.Scan(t.Context(), "") {
		if len(r.events) > 0 {
			t.Error("an event before the end")
		}
	}
	if e := r.last(t); e.Op != "scan" || e.Hits != 2 || e.Err != nil {
		t.Errorf("the observer received %+v", e)
	}
	l.err = errDown
	for range c.Scan(t.Context(), "") {
	}
	if e := r.last(t); e.Hits != 2 || !errors.Is(e.Err, errDown) {
		t.Errorf("the observer received %+v", e)
	}
}

func ExampleCache_Scan() {
	ctx := context.Background()
	c := cache.New(&lister{fake: newFake(), entries: []driver.Entry{{Key: "shop:user:1", TTL: time.Hour, Size: 120}}}, cache.WithPrefix("shop:"))
	for entry, err := range c.Scan(ctx, "user:") {
		if err != nil {
			fmt.Println("the list is incomplete:", err)
			break
		}
		fmt.Println(strings.ToUpper(entry.Key), entry.TTL, entry.Size)
	}
	// Output: USER:1 1h0m0s 120
}
