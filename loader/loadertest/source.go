package loadertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
)

var errBroken = errors.New("the source is down")

// source is what the Loaders of a rule load from. The value of a key says which call
// has loaded it: "a#1", "a#2".
type source struct {
	mu      sync.Mutex
	calls   int
	perKey  map[string]int
	running int
	most    int // calls at a time
	err     error
	gate    chan struct{} // calls wait until it is closed; nil if they do not wait
	before  func(ctx context.Context, key string) error
}

func newSource() *source { return &source{perKey: make(map[string]int)} }

// load waits for the gate and returns the value of key.
func (s *source) load(ctx context.Context, key string) (string, error) {
	values, err := s.loadMany(ctx, []string{key})
	return values[key], err
}

func (s *source) loadMany(ctx context.Context, keys []string) (map[string]string, error) {
	s.mu.Lock()
	s.calls++
	s.running++
	s.most = max(s.most, s.running)
	n, err, gate, before := s.calls, s.err, s.gate, s.before
	for _, key := range keys {
		s.perKey[key]++
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
	}()
	if before != nil {
		for _, key := range keys {
			if err := before(ctx, key); err != nil {
				return nil, err
			}
		}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	values := make(map[string]string)
	for _, key := range keys {
		values[key] = fmt.Sprintf("%s#%d", key, n)
	}
	return values, nil
}

// fail makes the following calls return err; nil for none.
func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// shut makes the following calls wait until open is called.
func (s *source) shut() (open func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := make(chan struct{})
	s.gate = gate
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gate = nil
		close(gate)
	})
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *source) countOf(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.perKey[key]
}

func (s *source) runningNow() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func (s *source) mostRunning() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// loader returns a Loader over c that is closed at the end of the attempt.
func (a *attempt) loader(c *cache.Cache, p loader.Policy, load func(ctx context.Context, key string) (string, error)) *loader.Loader[string] {
	l := loader.New(c, a.changed(p), func(ctx context.Context, key string) (value string, err error) {
		err = a.around(ctx, func(ctx context.Context) (err error) {
			value, err = load(ctx, key)
			return err
		})
		return value, err
	}, a.harness.Options...)
	a.atEnd(func() { l.Close() })
	return l
}

// expired returns a Loader of s whose entry of k has the value k#1 and is not fresh.
func (a *attempt) expired(s *source, p loader.Policy) *loader.Loader[string] {
	l := a.loader(a.one, p, s.load)
	a.want(l, "k", "k#1")
	a.must(l.Expire(a.ctx, "k"))
	return l
}

// many is loader for a load of many keys.
func (a *attempt) many(p loader.Policy, load func(ctx context.Context, keys []string) (map[string]string, error)) *loader.Loader[string] {
	l := loader.NewMany(a.one, a.changed(p), func(ctx context.Context, keys []string) (values map[string]string, err error) {
		err = a.around(ctx, func(ctx context.Context) (err error) {
			values, err = load(ctx, keys)
			return err
		})
		return values, err
	}, a.harness.Options...)
	a.atEnd(func() { l.Close() })
	return l
}

func (a *attempt) around(ctx context.Context, load func(ctx context.Context) error) error {
	if a.harness.around == nil {
		return load(ctx)
	}
	return a.harness.around(ctx, load)
}

// changed returns p with the defect of a mutant.
func (a *attempt) changed(p loader.Policy) loader.Policy {
	if a.harness.policy != nil {
		a.harness.policy(&p)
	}
	return p
}

// get is the outcome of a Get on another goroutine.
type got struct {
	value    string
	err      error
	panicked any
}

// start calls Get on another goroutine.
func (a *attempt) start(l *loader.Loader[string], key string) <-chan got {
	return background(func() (string, error) { return l.Get(a.ctx, key) })
}

// background calls call in a goroutine.
func background(call func() (string, error)) <-chan got {
	outcome := make(chan got, 1)
	go func() {
		var g got
		defer func() {
			g.panicked = recover()
			outcome <- g
		}()
		g.value, g.err = call()
	}()
	return outcome
}

// receive waits for an outcome.
func (a *attempt) receive(outcome <-chan got) got {
	select {
	case g := <-outcome:
		return g
	case <-time.After(patience):
		a.fatalf("Get does not return")
	}
	panic("unreachable")
}

// want calls Get, which must return value at once.
func (a *attempt) want(l *loader.Loader[string], key, value string) {
	if g := a.receive(a.start(l, key)); g.value != value || g.err != nil {
		a.fatalf("Get(%q) = %q, %v; want %q", key, g.value, g.err, value)
	}
}

// wantError calls Get, which must return target and no value.
func (a *attempt) wantError(l *loader.Loader[string], key string, target error) {
	if g := a.receive(a.start(l, key)); g.value != "" || !errors.Is(g.err, target) {
		a.fatalf("Get(%q) = %q, %v; want error %v", key, g.value, g.err, target)
	}
}

// wantCalls waits until the source was called n times, and requires that it is not
// called again.
func (a *attempt) wantCalls(s *source, n int) {
	a.eventually(fmt.Sprintf("%d calls of the source", n), func() bool { return s.count() >= n })
	time.Sleep(settle)
	if calls := s.count(); calls != n {
		a.fatalf("the source was called %d times, want %d", calls, n)
	}
}

// settle is how long a rule waits for a call that must not happen. On a slow machine a
// broken rule may pass, but a kept rule never fails.
const settle = 50 * time.Millisecond

// eventually waits until ok returns true.
func (a *attempt) eventually(what string, ok func() bool) {
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			a.fatalf("waited in vain for %s", what)
		}
	}
}

// eventuallyGets waits until Get returns value.
func (a *attempt) eventuallyGets(l *loader.Loader[string], key, value string) {
	a.eventually(fmt.Sprintf("Get(%q) = %q", key, value), func() bool {
		got, err := l.Get(a.ctx, key)
		return got == value && err == nil
	})
}
