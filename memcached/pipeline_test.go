package memcached

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// share makes calls go through the pipeline, as if there were many.
func share(t *testing.T, o Options, answer func(n int, command string) string) (*fake, *Backend, *node) {
	f := startFake(t, answer)
	o.Servers = []string{f.addr}
	b := start(t, o)
	n := b.store.(*wire).node(&address{"tcp", f.addr})
	n.calls.Store(alone)
	return f, b, n
}

func TestSharedRoundTrips(t *testing.T) {
	wires(t, func(t *testing.T, o Options) {
		f, b, _ := share(t, o, nil)
		var running sync.WaitGroup
		for i := range 64 {
			running.Go(func() {
				for j := range 50 {
					key := fmt.Sprintf("k%d", (i+j)%40)
					must := func(err error) {
						if err != nil {
							t.Error(err)
						}
					}
					must(b.Set(t.Context(), key, []byte("v"+key), time.Minute))
					value, ok, err := b.Get(t.Context(), key)
					must(err)
					if !ok || string(value) != "v"+key {
						t.Errorf("Get(%s) = %q, %v", key, value, ok)
					}
					has, err := b.Has(t.Context(), "absent")
					must(err)
					if has {
						t.Error("Has(absent)")
					}
					_, err = b.Inc(t.Context(), "n", 1, 0)
					must(err)
				}
			})
		}
		running.Wait()
		b.mustGet(t, "n", "3200")
		if n := f.count("conns"); n > lanes {
			t.Errorf("%d connections; want at most %d", n, lanes)
		}
	})
}

// Who leaves before the turn of the call is not sent; who leaves later disturbs
// nobody.
func TestLeaving(t *testing.T) {
	wires(t, func(t *testing.T, o Options) {
		release := make(chan struct{})
		f, b, n := share(t, o, func(i int, command string) string {
			if strings.Contains(command, "slow") {
				<-release
			}
			return ""
		})
		var running sync.WaitGroup
		for i := range lanes {
			running.Go(func() {
				if err := b.Set(t.Context(), fmt.Sprintf("slow%d", i), []byte("v"), 0); err != nil {
					t.Error(err)
				}
			})
			waitFor(t, "a lane to be busy", func() bool { return f.count("ms")+f.count("0x01") == i+1 })
		}
		early, cancel := context.WithCancel(t.Context())
		waiting := func() int {
			n.pipe.mu.Lock()
			defer n.pipe.mu.Unlock()
			if len(n.pipe.waiting) == 0 {
				return 0
			}
			return len(n.pipe.waiting[0].requests)
		}
		running.Go(func() {
			err := b.Set(early, "early", []byte("v"), 0)
			if !errors.Is(err, context.Canceled) || errors.Is(err, cache.ErrUnknownOutcome) {
				t.Errorf("who left before being sent: %v; want Canceled and nothing sent", err)
			}
			if err := b.Set(soon(t, time.Nanosecond), "early", []byte("v"), 0); errors.Is(err, cache.ErrUnknownOutcome) {
				t.Errorf("who had left already: %v", err)
			}
			close(release)
		})
		running.Go(func() {
			waitFor(t, "the other to wait", func() bool { return waiting() == 1 })
			if _, ok, err := b.Get(t.Context(), "absent"); ok || err != nil {
				t.Errorf("who stayed: %v, %v", ok, err)
			}
		})
		waitFor(t, "both to wait", func() bool { return waiting() == 2 })
		cancel()
		running.Wait()
		b.mustMiss(t, "early")
		b.mustGet(t, "slow0", "v")
	})
}

func TestSharedSilence(t *testing.T) {
	wires(t, func(t *testing.T, o Options) {
		f, b, n := share(t, o, func(int, string) string { return silence })
		patiently(t, func(patience time.Duration) error {
			_, err := b.Add(soon(t, patience), "k", nil, 0)
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cache.ErrUnknownOutcome) {
				return fmt.Errorf("Add with a deadline: %w", err)
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		f.answers(func(int, string) string { cancel(); return silence })
		if _, _, err := b.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("Get that is cancelled: %v", err)
		}
		// A lane does not wait for what nobody waits for.
		waitFor(t, "the lanes to end", func() bool { return !n.pipe.busy.Load() })
	})
}

func TestSharedLostReply(t *testing.T) {
	wires(t, func(t *testing.T, o Options) {
		_, b, _ := share(t, o, on(hangUp, "get", "0x0c", "0x02"))
		if _, _, err := b.Get(t.Context(), "k"); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Get: %v", err)
		}
		f, b, _ := share(t, o, nil)
		f.answers(func(n int, command string) string {
			if n == 1 {
				return hangUp
			}
			return ""
		})
		if _, _, err := b.Get(t.Context(), "k"); err != nil {
			t.Errorf("Get whose first answer was lost: %v", err)
		}
		if _, err := b.Add(t.Context(), "k", nil, 0); !errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("Add: %v; want ErrUnknownOutcome", err)
		}
	})
}

// A batch goes out in one piece though the server reads no more: its size is bounded.
func TestBatchesAreBounded(t *testing.T) {
	for most, w := range map[int]*wire{fullBatch + longestRequest: {}, record: {options: Options{TLS: &tls.Config{}}}} {
		testBatchesAreBounded(t, &pipeline{node: &node{wire: w}}, most)
	}
}

func testBatchesAreBounded(t *testing.T, p *pipeline, most int) {
	for range 100 {
		b := p.gathering()
		b.add(t.Context(), newRequest(vSet, item{key: "k", value: make([]byte, largest)}), text{})
	}
	if len(p.waiting) < 10 {
		t.Errorf("%d batches for 100 large requests", len(p.waiting))
	}
	for _, b := range p.waiting {
		if len(b.out.buf) > most {
			t.Errorf("a batch of %d bytes, want at most %d", len(b.out.buf), most)
		}
	}
	if p.takes(newRequest(vSet, item{value: make([]byte, largest+1)})) {
		t.Error("a larger value shares a round trip")
	}
}

// Over TLS, what goes out together is one record, whatever it is.
func TestRoundTripIsOneRecord(t *testing.T) {
	items := make([]item, 3000)
	for i := range items {
		items[i] = item{key: strings.Repeat("k", 1+i%keyLimit), value: make([]byte, i%900), expiry: lastDate, flags: math.MaxUint32}
	}
	for _, p := range []protocol{text{}, binaryProtocol{}} {
		w := &wire{options: Options{TLS: &tls.Config{}}, protocol: p}
		for _, v := range []verb{vGet, vSet, vDelete} {
			rest, trips := items, 0
			for ; len(rest) > 0; trips++ {
				n := w.fits(v, rest)
				var sent out
				p.write(&sent, &request{verb: v, items: rest[:n]})
				if len(sent.buf) > record || n == 0 {
					t.Fatalf("%T %v: a round trip of %d items, %d bytes", p, v, n, len(sent.buf))
				}
				rest = rest[n:]
			}
			if trips > 300 {
				t.Errorf("%T %v: %d round trips for %d items", p, v, trips, len(items))
			}
		}
	}
	if n := (&wire{options: Options{TLS: &tls.Config{}}, protocol: text{}}).fits(vSet, []item{{key: "large", value: make([]byte, 1<<20)}, {key: "k"}}); n != 1 {
		t.Errorf("%d items go out with one larger than a record", n)
	}
}
