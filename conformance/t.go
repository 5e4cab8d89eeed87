package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// T is what a case works with: the store in one mode, the passing of time, and
// the recording of what went wrong. It takes the place of testing.T, so that a
// case also runs where there is no test.
//
// The operations of T stop the case where the store returns an error; the same
// operations of T.try return it. All may be called from the goroutines of T.Go.
type T struct {
	ctx     context.Context
	harness Harness
	mode    mode
	id      string        // a random text of this case and mode, for keys and prefixes
	try     *store        // the operations with their errors
	cache   *cache.Cache  // over the backend; try uses it, except on the bare Backend
	backend cache.Backend // as the mode shows it
	first   cache.Backend // as the harness gave it
	rand    *rand.Rand
	absent  map[Feature]string
	pass    func(d time.Duration) // lets time pass for the store
	jumped  time.Duration         // by which pass has moved the store's clock ahead of ours

	opener
	open     func() cache.Backend // another backend like the first
	short    bool
	own      bool        // the store is used by this attempt alone, and may be emptied
	isClosed bool        // the case has closed the store itself
	closing  []io.Closer // what the case has opened

	mu       sync.Mutex
	failures []failure
	broken   string // why neither pass nor fail can be said
	notHere  string // why the case says nothing in this mode
	set      map[string]time.Time
}

// failure is one thing that was not as the rule says.
type failure struct {
	What, Got, Want, Where string
}

// stop ends a case from the depths of a helper; it is recovered by the runner.
type stop struct{}

// Wrong records that what happened is not what the rule asks for.
func (t *T) Wrong(what string, got, want any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const enough = 5
	if len(t.failures) < enough {
		t.failures = append(t.failures, failure{what, show(got), show(want), where()})
	}
}

// Stop is Wrong, after which going on makes no sense.
func (t *T) Stop(what string, got, want any) {
	t.Wrong(what, got, want)
	panic(stop{})
}

// Equal records a failure where got is not want.
func Equal[V comparable](t *T, what string, got, want V) {
	if got != want {
		t.Wrong(what, got, want)
	}
}

// ErrorIs records a failure where err does not wrap want.
func (t *T) ErrorIs(what string, err, want error) {
	if !errors.Is(err, want) {
		t.Wrong(what, err, text(fmt.Sprintf("an error that wraps %q", want)))
	}
}

// Ok stops the case where err is not nil. An unreachable or unwilling server
// says nothing about the rule: the outcome is then an error.
func (t *T) Ok(what string, err error) {
	if err == nil {
		return
	}
	if isOutage(err) {
		t.mu.Lock()
		t.broken = what + ": " + err.Error()
		t.mu.Unlock()
		panic(stop{})
	}
	t.Stop(what, err, text("no error"))
}

// Go runs n goroutines and waits for them.
func (t *T) Go(n int, run func(i int)) {
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			defer t.recover()
			run(i)
		})
	}
	wait.Wait()
	t.mu.Lock()
	ended := t.broken != ""
	t.mu.Unlock()
	if ended {
		panic(stop{})
	}
}

// recover is deferred in each goroutine of a case.
func (t *T) recover() {
	switch p := recover(); p.(type) {
	case nil, stop:
	default:
		t.Wrong("the backend must not panic", text(fmt.Sprintf("%v\n%s", p, debug.Stack())), text("no panic"))
	}
}

// Set stores value under key.
func (t *T) Set(key, value string, ttl time.Duration) {
	t.born(key)
	t.Ok(fmt.Sprintf("Set(%s, ttl %v)", show(key), ttl), t.try.Set(t.ctx, key, []byte(value), ttl))
}

// Add stores value under key where there is none, and reports whether it did.
func (t *T) Add(key, value string, ttl time.Duration) bool {
	t.born(key)
	added, err := t.try.Add(t.ctx, key, []byte(value), ttl)
	t.Ok(fmt.Sprintf("Add(%s, ttl %v)", show(key), ttl), err)
	return added
}

// Get returns the value of key, and whether there is one.
func (t *T) Get(key string) (string, bool) {
	value, ok, err := t.try.Get(t.ctx, key)
	t.Ok("Get("+show(key)+")", err)
	return string(value), ok
}

// Has reports whether key is there.
func (t *T) Has(key string) bool {
	ok, err := t.try.Has(t.ctx, key)
	t.Ok("Has("+show(key)+")", err)
	return ok
}

// Delete removes key and reports whether it was there.
func (t *T) Delete(key string) bool {
	deleted, err := t.try.Delete(t.ctx, key)
	t.Ok("Delete("+show(key)+")", err)
	return deleted
}

// Inc adds delta to the integer under key and returns the sum.
func (t *T) Inc(key string, delta int64, ttl time.Duration) int64 {
	t.born(key)
	sum, err := t.try.Inc(t.ctx, key, delta, ttl)
	t.Ok(fmt.Sprintf("Inc(%s, %d)", show(key), delta), err)
	return sum
}

// GetMany returns one value per key, nil for a miss.
func (t *T) GetMany(keys ...string) [][]byte {
	values, err := t.try.GetMany(t.ctx, keys...)
	t.Ok(fmt.Sprintf("GetMany of %d keys", len(keys)), err)
	if len(values) != len(keys) {
		t.Stop("GetMany returns one value per key", len(values), len(keys))
	}
	return values
}

// SetMany stores items.
func (t *T) SetMany(items map[string]string, ttl time.Duration) {
	for key := range items {
		t.born(key)
	}
	t.Ok(fmt.Sprintf("SetMany of %d items", len(items)), t.try.SetMany(t.ctx, items, ttl))
}

// DeleteMany removes keys and returns those that were there.
func (t *T) DeleteMany(keys ...string) []string {
	deleted, err := t.try.DeleteMany(t.ctx, keys...)
	t.Ok(fmt.Sprintf("DeleteMany of %d keys", len(keys)), err)
	return deleted
}

// Clear removes what is under the prefix of the cache, or all where it has none.
func (t *T) Clear() { t.Ok("Clear", t.try.Clear(t.ctx)) }

// Hit records a failure where key does not hold want.
func (t *T) Hit(when, key, want string) {
	got, ok := t.Get(key)
	if !ok {
		t.Wrong(when+": Get("+show(key)+")", text("a miss"), want)
	} else if got != want {
		t.Wrong(when+": Get("+show(key)+")", got, want)
	}
}

// Miss records a failure where key holds anything.
func (t *T) Miss(when, key string) {
	if got, ok := t.Get(key); ok {
		t.Wrong(when+": Get("+show(key)+")", got, text("a miss"))
	}
}

// Expired leaves entries that have reached their end of life, and no other.
func (t *T) Expired(keys ...string) {
	ttl := t.Brief()
	for _, key := range keys {
		t.Set(key, "7", ttl)
	}
	t.pass(ttl + t.harness.Resolution)
}

// Within runs prepare, which may be run again, until it took less than a Brief
// life: on a busy machine an entry may be gone before a case comes to use it.
func (t *T) Within(ttl time.Duration, prepare func()) {
	for range 20 {
		begin := time.Now()
		prepare()
		if time.Since(begin) < ttl {
			return
		}
	}
	t.mu.Lock()
	t.broken = fmt.Sprintf("the store or the machine is too slow to do anything within %v", ttl)
	t.mu.Unlock()
	panic(stop{})
}

// NotHere ends the case in a mode in which it cannot be run.
func (t *T) NotHere(reason string) {
	t.notHere = reason
	panic(stop{})
}

// Brief is a life that is worth waiting for.
func (t *T) Brief() time.Duration {
	return max(60*time.Millisecond, min(t.harness.Resolution, time.Second))
}

// Can reports whether the backend has feature.
func (t *T) Can(feature Feature) bool {
	_, absent := t.absent[feature]
	return !absent
}

// Life records a failure where the store does not give key the rest of ttl, 0
// meaning that it never expires. A backend that cannot tell passes.
func (t *T) Life(when, key string, ttl time.Duration) {
	if !t.Can(TTL) {
		return
	}
	left, ok, err := t.try.TTL(t.ctx, key)
	t.Ok("TTL("+show(key)+")", err)
	what := when + ": TTL(" + show(key) + ")"
	t.mu.Lock()
	age := t.now().Sub(t.set[key])
	t.mu.Unlock()
	switch {
	case !ok && ttl != 0 && age >= ttl: // it took us too long to ask
	case !ok:
		t.Wrong(what, text("a miss"), lifeText(ttl))
	case ttl == 0 && left != 0:
		t.Wrong(what, left, text("0, it never expires"))
	case ttl != 0 && left == 0:
		t.Wrong(what, text("0, it never expires"), lifeText(ttl))
	case ttl != 0 && (left > ttl+t.harness.Resolution || left < ttl-age):
		t.Wrong(what, left, text(fmt.Sprintf("%v, at most %v less for the time since", ttl, age)))
	}
}

func lifeText(ttl time.Duration) text {
	if ttl == 0 {
		return "it never expires"
	}
	return text("about " + ttl.String())
}

// Own is a key for calls past the operations of T, on t.cache and on views of it.
func (t *T) Own(name string) string {
	t.try.recorder.note(t.try.prefix + name)
	return t.try.prefix + name
}

// Full is name as the store sees it.
func (t *T) Full(name string) string { return t.try.recorder.prefix + t.try.prefix + name }

// Cache is another Cache over the same backend with the same prefix.
func (t *T) Cache(options ...cache.Option) *cache.Cache {
	return cache.New(t.backend, append(options, cache.WithPrefix(t.try.recorder.prefix))...)
}

// holds records a failure where t.cache does not hold want under an own key, ""
// being a miss.
func (t *T) holds(own, want string) {
	got, _, err := t.cache.Get(t.ctx, own)
	t.Ok("Get("+show(own)+")", err)
	Equal(t, "what "+show(own)+" holds afterwards", string(got), want)
}

// born remembers when a life began at the earliest.
func (t *T) born(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set[key] = t.now()
}

// now is the time as the store has it.
func (t *T) now() time.Time { return time.Now().Add(t.jumped) }

// Close closes the store, which the case must not use afterwards except to see
// that it is closed.
func (t *T) Close() error {
	t.isClosed = true
	return t.cache.Close()
}

// fewer is n, or a fifth of it with -short.
func (t *T) fewer(n int) int {
	if t.short {
		return n / 5
	}
	return n
}

// keys returns n keys that begin with name.
func keys(name string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", name, i)
	}
	return list
}

// text is a sentence of ours in place of a value, printed as it is.
type text string

// show makes a value fit to print: quoted, and cut where it is long.
func show(v any) string {
	switch v := v.(type) {
	case text:
		return string(v)
	case []byte:
		return quote(string(v), 80)
	case string:
		return quote(v, 80)
	case error:
		return "error " + quote(v.Error(), 400)
	}
	return fmt.Sprint(v)
}

func quote(s string, limit int) string {
	if len(s) > limit {
		return fmt.Sprintf("%q... (%d bytes)", s[:limit], len(s))
	}
	return strconv.Quote(s)
}

// where returns the line of the case that is running.
func where() string {
	callers := make([]uintptr, 30)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		file := frame.File[strings.LastIndexByte(frame.File, '/')+1:]
		if strings.HasPrefix(file, "cases_") {
			return fmt.Sprintf("%s:%d", file, frame.Line)
		}
		if !more {
			return ""
		}
	}
}
