package tiered

import (
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func ownWrites(w *world) {
	for _, ops := range []map[string]operation{writes, adds} {
		for name, write := range sorted(ops) {
			w.must(w.far.Set(w.ctx, "k", []byte("1"), 0))
			synctest.Wait()
			time.Sleep(maxPause)
			w.want("k", "1", "")
			if _, adds := adds[name]; adds {
				_, err := w.one.Delete(w.ctx, "k")
				w.must(err)
			}
			w.must(write(w.ctx, w.one))
			for range 2 {
				if got, want := w.read("k"), w.inFar("k"); got != want {
					w.errorf("after %s: got %q, want %q", name, got, want)
				}
				synctest.Wait()
			}
			time.Sleep(maxPause) // after a Clear the watch begins anew
		}
	}
}

func neverOutlives(w *world) {
	ends := func(how string) {
		time.Sleep(2*time.Second - time.Millisecond)
		w.want("k", "1", "near")
		time.Sleep(time.Millisecond)
		w.far.Silence(true) // an expiry is not reported
		if w.want("k", "", "far"); len(w.failures) > 0 {
			w.errorf("after %s", how)
		}
		w.far.Silence(false)
	}
	w.load("k", "1", 2*time.Second)
	ends("Get")
	w.must(w.far.Set(w.ctx, "k", []byte("1"), 2*time.Second))
	synctest.Wait()
	_, err := w.one.GetMany(w.ctx, []string{"k", "absent"})
	w.must(err)
	ends("GetMany")
	w.far.Silence(true)
	w.must(w.one.Set(w.ctx, "k", []byte("1"), 2*time.Second))
	ends("Set")

	w.must(w.far.Set(w.ctx, "k", []byte("1"), 2*time.Second))
	synctest.Wait()
	w.far.After(slow("get_ttl", time.Second)) // the entry has a second less when the reply arrives
	w.want("k", "1", "far")
	w.far.After(nil)
	time.Sleep(time.Second)
	w.want("k", "", "far")
}

// race reads k from far, and changes k before the reply arrives.
func (w *world) race(name string, by *driver.Operations, write operation) {
	for _, read := range reads {
		time.Sleep(maxPause) // after a Clear the watch begins anew
		w.must(w.far.Set(w.ctx, "k", []byte("1"), 0))
		synctest.Wait()
		_, err := w.b.Delete(w.ctx, "l") // far is coherent with near
		w.must(err)
		w.b.near.changed("k")
		paused, resume := w.pauseFar(read.op, true)
		go read.do(w)
		<-paused
		w.far.After(nil)
		w.must(write(w.ctx, by))
		synctest.Wait()
		resume()
		synctest.Wait()
		if got, want := w.read("k"), w.inFar("k"); got != want {
			w.errorf("%s during a %s: got %q, want %q", name, read.op, got, want)
		}
	}
}

// during changes k, and reads it from far before and after the effect of the write.
func (w *world) during(name string, write operation) {
	op := map[string]string{"SetMany": "set", "CompareAndSwap": "swap", "DeleteMany": "delete", "ClearPrefix": "clear_prefix"}[name]
	if op == "" {
		op = strings.ToLower(name)
	}
	w.must(w.one.Set(w.ctx, "k", []byte("1"), 0))
	before, begin := w.pauseFar(op, false)
	done := make(chan struct{})
	go func() { defer close(done); w.must(write(w.ctx, w.one)) }()
	<-before
	w.far.Before(nil)
	w.want("k", "1", "far")
	after, end := w.pauseFar(op, true)
	begin()
	<-after
	w.far.After(nil)
	// The effect can be seen, by TTL for example, and so Get must return it.
	if got, want := w.read("k"), w.inFar("k"); got != want {
		w.errorf("after the effect of %s, before its reply: got %q, want %q", name, got, want)
	}
	end()
	<-done
	if got, want := w.read("k"), w.inFar("k"); got != want {
		w.errorf("after %s: got %q, want %q", name, got, want)
	}
}

// reads are the operations that fill near, by their name in far.
var reads = []struct {
	op string
	do func(w *world)
}{
	{"get_ttl", func(w *world) { w.one.Get(w.ctx, "k") }},
	{"get_many_ttl", func(w *world) { w.one.GetMany(w.ctx, []string{"k"}) }},
}

func (w *world) read(key string) string {
	value, _, err := w.one.Get(w.ctx, key)
	w.must(err)
	return string(value)
}

// slow returns a hook that delays one call of op.
func slow(op string, delay time.Duration) func(called, key string) error {
	done := false
	return func(called, _ string) error {
		if called == op && !done {
			done = true
			time.Sleep(delay)
		}
		return nil
	}
}

// failing returns a hook that fails the calls of ops.
func failing(ops string, err error) func(called, key string) error {
	return func(called, _ string) error {
		if slices.Contains(strings.Fields(ops), called) {
			return err
		}
		return nil
	}
}
