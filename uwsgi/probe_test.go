package uwsgi

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func TestNewChecksCache(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *fake)
		cache  string
		want   string // in the error; empty for none
	}{
		"all is well":        {func(*fake) {}, "c", ""},
		"a full cache":       {func(f *fake) { f.full = true }, "c", ""},
		"no such cache":      {func(*fake) {}, "d", `no cache "d" at `},
		"smaller keys":       {func(f *fake) { f.maxKey = 2047 }, "c", "(Options.MaxKey): "},
		"smaller values":     {func(f *fake) { f.maxValue = 1<<16 - 1 }, "c", "(Options.MaxValue): "},
		"no expiry":          {func(f *fake) { f.purgeLRU = true }, "c", "purge_lru"},
		"a clock far behind": {func(f *fake) { f.behind = 3600 }, "c", "clock"},
		"a clock far ahead":  {func(f *fake) { f.behind = -3600 }, "c", "clock"},
		"garbage":            {func(f *fake) { f.fault = times(1, "set", garbage) }, "c", errMalformed.Error()},
		"resets":             {func(f *fake) { f.fault = times(1000, "set", reset) }, "c", "store is unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.set(c.change)
			b, err := New(t.Context(), Options{Addr: f.addr, Cache: c.cache})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				b.Close()
				if len(f.items) > 0 {
					t.Errorf("left behind: %v", f.items)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestNewWithoutServer(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:1", t.TempDir() + "/none"} {
		if _, err := New(t.Context(), Options{Addr: addr}); !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// A server that does not close the connection shows that it has the cache, unless the
// context of the caller ends first.
func TestCheckExistsEndsWithContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // the kernel accepts connections that no server answers
	o := Options{Addr: listener.Addr().String()}
	if err := driver.Complete(&o); err != nil {
		t.Fatal(err)
	}
	b := &Backend{options: o, dialer: newDialer(o), maxKey: o.maxKey(), slots: make(chan struct{}, o.PoolSize)}
	if err := b.checkExists(t.Context()); err != nil {
		t.Errorf("without a deadline: %v", err)
	}
	for _, end := range []struct {
		want  error
		begin func() (context.Context, context.CancelFunc)
	}{
		{context.DeadlineExceeded, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), refusalTimeout/10)
		}},
		{context.Canceled, func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(refusalTimeout/10, cancel)
			return ctx, cancel
		}},
	} {
		var err error
		took := refusalTimeout
		for tries := 0; tries < 20 && took >= refusalTimeout; tries++ { // on a busy machine a try takes longer
			ctx, cancel := end.begin()
			begin := time.Now()
			err = b.checkExists(ctx)
			took = time.Since(begin)
			cancel()
		}
		if !errors.Is(err, end.want) || took >= refusalTimeout {
			t.Errorf("%v after %v; want %v earlier than %v", err, took, end.want, refusalTimeout)
		}
	}
}
