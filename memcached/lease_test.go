package memcached

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

func startText(t *testing.T, answer func(n int, command string) string) (*fake, *Backend) {
	f := startFake(t, answer)
	return f, start(t, Options{Servers: []string{f.addr}})
}

// mustLease returns the token of key, which is absent and not leased.
func (b *Backend) mustLease(t *testing.T, key string) (token string) {
	t.Helper()
	_, ok, token, err := b.Lease(t.Context(), key, time.Second)
	if ok || token == "" || err != nil {
		t.Fatalf("Lease of an absent key = %v, %q, %v; want a token", ok, token, err)
	}
	return token
}

func (b *Backend) wantFill(t *testing.T, key, token string, want bool) {
	t.Helper()
	if filled, err := b.Fill(t.Context(), key, token, []byte("filled"), 0); filled != want || err != nil {
		t.Errorf("Fill = %v, %v; want %v", filled, err, want)
	}
}

// A placeholder is absent for every kind of client, and an empty value is not.
func TestPlaceholderIsAbsent(t *testing.T) {
	f, text := startText(t, nil)
	borrowed, err := NewFromClient(memcache.New(f.addr), Options{})
	must(t, err)
	for name, b := range map[string]*Backend{"text": text, "binary": start(t, Options{Servers: []string{f.addr}, Protocol: Binary}), "gomemcache": borrowed} {
		token := text.mustLease(t, name)
		f.store("empty", entry{})
		for key, want := range map[string]bool{name: false, "empty": true} {
			_, got, err := b.Get(t.Context(), key)
			has, err2 := b.Has(t.Context(), key)
			values, err3 := b.GetMany(t.Context(), []string{key})
			if err := errors.Join(err, err2, err3); err != nil || got != want || has != want || (values[0] != nil) != want {
				t.Errorf("%s, key %s: %v, %v, %v, %v; want %v", name, key, got, has, values, err, want)
			}
		}
		if n, err := b.Inc(t.Context(), name, 7, time.Hour); n != 7 || err != nil {
			t.Errorf("%s: Inc of a leased key = %v, %v", name, n, err)
		}
		if e, _ := f.at(name); e.flags != 0 || e.expiry != expiryOf(time.Hour) {
			t.Errorf("%s: Inc of a leased key stored %+v", name, e)
		}
		text.wantFill(t, name, token, false)
	}
}

// A miss costs one round trip more than without a lease, and an Add that stores nothing
// costs one.
func TestLeaseCommands(t *testing.T) {
	f, b := startText(t, nil)
	must(t, b.Set(t.Context(), "present", []byte("v"), 0)) // opens the connection
	for _, test := range []struct {
		name string
		call func()
		want map[string]int
	}{
		{"Lease", func() { b.mustLease(t, "k") }, map[string]int{"ms": 1, "gets": 1}},
		{"losing Add", func() { _, _ = b.Add(t.Context(), "present", nil, 0) }, map[string]int{"ms": 1, "mg": 1}},
		{"Add", func() { _, _ = b.Add(t.Context(), "k", nil, 0) }, map[string]int{"ms": 2, "mg": 1}},
		{"large Add", func() { _, _ = b.Add(t.Context(), "large", make([]byte, 5000), 0) }, map[string]int{"ms": 1}},
		{"losing large Add", func() { _, _ = b.Add(t.Context(), "present", make([]byte, 5000), 0) }, map[string]int{"ms": 1, "mg": 1}},
		{"Delete", func() { _, _ = b.Delete(t.Context(), "k") }, map[string]int{"mg": 2}},
		{"Fill", func() { b.wantFill(t, "f", b.mustLease(t, "f"), true) }, map[string]int{"ms": 2, "gets": 1}},
		{"Release", func() { must(t, b.Release(t.Context(), "r", b.mustLease(t, "r"))) }, map[string]int{"ms": 1, "gets": 1, "md": 1}},
		{"CompareAndSwap", func() { _, _ = b.CompareAndSwap(t.Context(), "present", []byte("v"), nil, 0) }, map[string]int{"mg": 1, "get": 1, "ms": 1}},
	} {
		before := map[string]int{}
		for _, name := range []string{"ms", "mg", "get", "gets", "md"} {
			before[name] = f.count(name)
		}
		test.call()
		for name, n := range before {
			if got := f.count(name) - n; got != test.want[name] {
				t.Errorf("%s sends %d %s; want %d", test.name, got, name, test.want[name])
			}
		}
	}
}

// A server that was restarted counts CAS anew: another entry may have the CAS of the
// placeholder.
func TestFillAfterRestart(t *testing.T) {
	f, b := startText(t, nil)
	for _, same := range []bool{false, true} {
		token := b.mustLease(t, "k")
		placeholder, _ := f.at("k")
		f.dropAll()
		if !same {
			f.mu.Lock()
			f.cas = placeholder.cas - 1
			f.put("k", entry{value: "newer"})
			f.mu.Unlock()
		}
		b.wantFill(t, "k", token, same)
		b.wantFill(t, "k", token, false)
		if !same {
			b.mustGet(t, "k", "newer")
			f.remove("k")
		}
	}
}

// A token of another server does not fit an entry with the same CAS.
func TestFillOfAnotherServer(t *testing.T) {
	_, b := startText(t, nil)
	f, other := startText(t, nil)
	must(t, other.Set(t.Context(), "k", []byte("v"), 0))
	other.wantFill(t, "k", b.mustLease(t, "k"), false)
	other.mustGet(t, "k", "v")
	same := start(t, Options{Servers: []string{f.addr}})
	same.wantFill(t, "l", other.mustLease(t, "l"), true)
}

// A Lease is sent once. If it were sent again with the same name, the server might execute
// the first request after a Delete, and Fill would recognize the placeholder.
func TestLostReplyOfLease(t *testing.T) {
	for command, reply := range map[string]string{"ms": lost, "gets": lost, "gets k": partial + "VALUE k 0 1\r\nv\r\n"} {
		f, b := startText(t, nil)
		f.answers(func(n int, c string) string {
			if n == 1 && strings.HasPrefix(c, command) {
				return reply
			}
			return ""
		})
		_, _, token, err := b.Lease(t.Context(), "k", time.Second)
		if token != "" || !errors.Is(err, cache.ErrUnknownOutcome) || errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("%s: Lease = %q, %v; want ErrUnknownOutcome", command, token, err)
		}
		if n := f.count("ms"); n != 1 {
			t.Errorf("%s: Lease was sent %d times", command, n)
		}
	}
}

// A Lease takes effect once. Others may see its placeholder and remove it before the second
// command of the Lease: then its token is refused. If it stored another placeholder, no
// order would explain the results: the others found a lease that did not begin before the
// Delete.
func TestLeaseIsAtomic(t *testing.T) {
	f, b := startText(t, nil)
	other := start(t, Options{Servers: []string{f.addr}})
	f.answers(func(n int, command string) string {
		if n == 1 && strings.HasPrefix(command, "gets") {
			if _, ok, token, err := other.Lease(t.Context(), "k", time.Second); ok || token != "" || err != nil {
				t.Errorf("Lease of a leased key = %v, %q, %v", ok, token, err)
			}
			if _, err := other.Delete(t.Context(), "k"); err != nil {
				t.Error(err)
			}
		}
		return ""
	})
	token := b.mustLease(t, "k")
	if n := f.count("ms"); n != 2 {
		t.Errorf("two Leases sent %d placeholders", n)
	}
	b.wantFill(t, "k", token, false)
}

// An entry of a restarted server may have the CAS of the placeholder, or of the damaged
// value, that a call is about to replace. It stays.
func TestRestartBeforeReplace(t *testing.T) {
	placeholder, damaged := entry{value: "name", flags: wire.FlagLease}, entry{value: "no index", flags: flagSpread}
	add := func(value []byte) func(b *Backend) (bool, error) {
		return func(b *Backend) (bool, error) { return b.Add(t.Context(), "k", value, 0) }
	}
	for name, test := range map[string]struct {
		before entry
		call   func(b *Backend) (bool, error)
	}{
		"Add":                     {placeholder, add(nil)},
		"large Add":               {placeholder, add(largeValue(150))},
		"Add over a damaged item": {damaged, add(nil)},
		"Lease": {damaged, func(b *Backend) (bool, error) {
			_, _, token, err := b.Lease(t.Context(), "k", time.Second)
			return token != "", err
		}},
		"CompareAndSwap": {entry{value: "old"}, func(b *Backend) (bool, error) {
			return b.CompareAndSwap(t.Context(), "k", []byte("old"), nil, 0)
		}},
	} {
		f := startFake(t, nil)
		b := start(t, Options{Servers: []string{f.addr}, Spread: true, ChunkSize: 100, MaxChunks: 10})
		f.store("k", test.before)
		b.store = &restarting{store: b.store, f: f}
		if done, err := test.call(b); done || err != nil {
			t.Errorf("%s = %v, %v; want false", name, done, err)
		}
		b.mustGet(t, "k", "newer")
	}
}

// restarting restarts the server before the first item is replaced, which then has the
// same CAS.
type restarting struct {
	store
	f    *fake
	once sync.Once
}

func (s *restarting) Do(ctx context.Context, r *wire.Request) error {
	s.before(r.Op)
	return s.store.Do(ctx, r)
}

func (s *restarting) Many(ctx context.Context, op wire.Op, items []wire.Item) {
	s.before(op)
	s.store.Many(ctx, op, items)
}

func (s *restarting) before(op wire.Op) {
	if op != wire.OpCompareAndSwap {
		return
	}
	s.once.Do(func() {
		s.f.dropAll()
		e, _ := s.f.at("k")
		s.f.mu.Lock()
		defer s.f.mu.Unlock()
		s.f.cas = e.cas - 1
		s.f.put("k", entry{value: "newer"})
	})
}

func TestLostReplyOfFill(t *testing.T) {
	f, b := startText(t, nil)
	token := b.mustLease(t, "k")
	must(t, b.Set(t.Context(), "swap", []byte("old"), 0))
	f.answers(on(hangUp, "ms"))
	before := f.count("ms")
	if filled, err := b.Fill(t.Context(), "k", token, nil, 0); filled || !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("Fill = %v, %v; want ErrUnknownOutcome", filled, err)
	}
	if n := f.count("ms") - before; n != 1 {
		t.Errorf("Fill was sent %d times", n)
	}
	if _, err := b.CompareAndSwap(t.Context(), "swap", []byte("old"), nil, 0); !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("CompareAndSwap: %v; want ErrUnknownOutcome", err)
	}
}

// Fill and CompareAndSwap write the chunks first; if the index is not stored, they remove
// them.
func TestLeaseOfLargeValue(t *testing.T) {
	f := startFake(t, nil)
	b := start(t, Options{Servers: []string{f.addr}, Spread: true, ChunkSize: 100, MaxChunks: 10})
	large := largeValue(450)
	token := b.mustLease(t, "k")
	if filled, err := b.Fill(t.Context(), "k", token, large, 0); !filled || err != nil {
		t.Fatalf("Fill = %v, %v", filled, err)
	}
	value, ok, token2, err := b.Lease(t.Context(), "k", time.Second)
	if !ok || !bytes.Equal(value, large) || token2 != "" || err != nil {
		t.Errorf("Lease = %d bytes, %v, %q, %v", len(value), ok, token2, err)
	}
	if filled, err := b.Fill(t.Context(), "k", token, large, 0); filled || err != nil || len(f.keys()) != 6 {
		t.Errorf("a second Fill = %v, %v with %d items; want 6", filled, err, len(f.keys()))
	}
	other := largeValue(350)
	for _, test := range []struct {
		old, value []byte
		want       bool
		items      int
	}{{other, large, false, 6}, {large, other, true, 5}, {other, []byte("small"), true, 1 + 4}, {[]byte("small"), large, true, 6 + 4}} {
		swapped, err := b.CompareAndSwap(t.Context(), "k", test.old, test.value, 0)
		if swapped != test.want || err != nil || len(f.keys()) != test.items {
			t.Errorf("CompareAndSwap = %v, %v with %d items; want %v, %d", swapped, err, len(f.keys()), test.want, test.items)
		}
	}
}

// What is damaged is absent for Lease and Add.
func TestLeaseOfDamagedValue(t *testing.T) {
	f := startFake(t, nil)
	b := start(t, Options{Servers: []string{f.addr}, Spread: true, ChunkSize: 100, MaxChunks: 10})
	for _, damage := range []func(key string){
		func(key string) { f.store(key, entry{value: "no index", flags: flagSpread}) },
		func(key string) {
			must(t, b.Set(t.Context(), key, largeValue(150), 0))
			for _, name := range f.keys() {
				if strings.HasPrefix(name, key+"~") {
					f.remove(name)
				}
			}
		},
	} {
		damage("k")
		b.wantFill(t, "k", b.mustLease(t, "k"), true)
		for name, value := range map[string][]byte{"small": nil, "large": largeValue(250)} {
			damage("k")
			if added, err := b.Add(t.Context(), "k", value, 0); !added || err != nil {
				t.Errorf("%s: Add over a damaged entry = %v, %v", name, added, err)
			}
			if got, ok, err := b.Get(t.Context(), "k"); !ok || !bytes.Equal(got, value) || err != nil {
				t.Errorf("%s: Get after Add = %d bytes, %v, %v", name, len(got), ok, err)
			}
		}
	}
}

// An item of SetMany that the server rejected is not stored because its key was leased
// meanwhile.
func TestRejectedItemAndPlaceholder(t *testing.T) {
	f, b := startText(t, nil)
	f.answers(func(n int, command string) string {
		if n == 1 && strings.HasPrefix(command, "ms k1 ") {
			f.store("k1", entry{value: "name", flags: wire.FlagLease})
			return outOfMemory
		}
		return ""
	})
	err := b.SetMany(t.Context(), []driver.Item{{Key: "k1"}, {Key: "k2"}}, 0)
	var batch *cache.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "k1" {
		t.Errorf("SetMany: %v; want the failure of k1", err)
	}
}

func TestLeaseUnsupported(t *testing.T) {
	borrowed, err := NewFromClient(memcache.New("localhost:1"), Options{})
	must(t, err)
	for _, b := range []*Backend{borrowed, start(t, Options{Protocol: Binary})} {
		if _, _, _, err := b.Lease(context.Background(), "k", time.Second); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Lease: %v; want ErrUnsupported", err)
		}
	}
}
