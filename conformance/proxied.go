package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

const (
	// callTime is when the context of a call against a faulty server ends.
	callTime = 100 * time.Millisecond
	// machineTime is by how much a busy machine may exceed a promised time.
	machineTime = 150 * time.Millisecond
)

// proxied is a backend whose server is behind a proxy.
type proxied struct {
	*proxy.Proxy
	t      *attempt
	handle *handle       // through Cache
	stalls *atomic.Int64 // calls that were repeated, see despiteStalls
}

// openProxied opens a backend through a proxy and uses it once: connections are
// then open, and the server's greeting has been read.
func (t *attempt) openProxied() proxied {
	p, err := proxy.New(t.harness.Faults.Addr)
	t.must("starting the proxy", err)
	t.toClose = append(t.toClose, p)
	w := proxied{Proxy: p, t: t, stalls: new(atomic.Int64)}
	var b driver.Backend
	w.succeeds("opening the backend through the proxy", func() (err error) {
		b, err = t.harness.Faults.New(t.test, p.Addr())
		return err
	})
	t.toClose = append(t.toClose, b)
	w.handle = t.throughCache(cache.New(t.show(b)))
	w.handle.prefix = t.id + ":" // the server behind the proxy is the same for all cases
	w.set("proxied", t.proxiedValue())
	w.get("proxied")
	return w
}

// proxiedValue is larger than the headers of a reply: half of the reply contains a
// part of it.
func (t *attempt) proxiedValue() []byte {
	size := 8 << 10
	if limit := t.harness.Limits.MaxValue; limit != 0 {
		size = min(size, limit)
	}
	return randomBytes(1, size)
}

// throughCache returns a handle of c, which has no prefix, with the keys of t.
func (t *attempt) throughCache(c *cache.Cache) *handle {
	return &handle{cache: c, prefix: t.handle.prefix, written: t.handle.written}
}

// inject sets the fault.
func (w proxied) inject(f proxy.Fault) { w.t.must("setting the proxy", w.Set(f)) }

// untilLost repeats try, which makes a call whose reply is to be lost, until the call returns
// an error: another connection of the backend, such as that of Watch, may lose a reply in
// its place. A call may also succeed although its reply was lost.
func (w proxied) untilLost(try func(i int) error) {
	for i := range 5 {
		w.inject(proxy.Pass)
		if try(i) != nil {
			return
		}
	}
}

// reach reads from the server. The key is absent: a wrapper may keep what it has read in
// memory, but no miss.
func (w proxied) reach() error {
	_, _, err := w.handle.Get(w.t.ctx, "absent")
	return err
}

// recovers ends all faults and checks that the backend works again. The first
// call may still use a broken connection.
func (w proxied) recovers(after string) {
	w.inject(proxy.Pass)
	ends := time.Now().Add(w.t.harness.Faults.Recovery)
	err := w.reach()
	for errors.Is(err, driver.ErrUnavailable) && time.Now().Before(ends) {
		time.Sleep(time.Millisecond)
		err = w.reach()
	}
	for i := range 5 {
		var value []byte
		var ok bool
		err := w.despiteStalls(func() (err error) {
			value, ok, err = w.handle.Get(w.t.ctx, "proxied")
			return err
		})
		if err != nil || !ok || !bytes.Equal(value, w.t.proxiedValue()) {
			w.t.stop(fmt.Sprintf("Get %d after the end of %s", i+1, after), text(fmt.Sprintf("%s, ok=%v, %v", show(value), ok, err)), w.t.proxiedValue())
		}
	}
}

// returnsWithin stops the case if call takes longer than limit three times in a
// row, because the machine may be busy, or if it does not return at all. It returns
// the error of call.
func (t *attempt) returnsWithin(what string, limit time.Duration, call func() error) error {
	return t.returnsWithinAfter(func() {}, what, limit, call)
}

// returnsWithinAfter is returnsWithin for a call before which prepare is called each time.
// The duration of prepare does not count.
func (t *attempt) returnsWithinAfter(prepare func(), what string, limit time.Duration, call func() error) (err error) {
	var took time.Duration
	t.sleeping.Add(int64(limit))
	defer t.sleeping.Add(-int64(limit))
	for range 3 {
		prepare()
		begin := time.Now()
		returned := make(chan error, 1)
		go func() {
			defer close(returned) // also if call stops the case
			defer t.recoverPanic()
			returned <- call()
		}()
		var complete bool
		select {
		case err, complete = <-returned:
			if !complete {
				panic(stop{})
			}
		case <-time.After(limit + t.suite.patience()):
			t.suite.impatient.Store(true)
			t.stop(what, text("no return after "+time.Since(begin).Round(time.Millisecond).String()), text("at most "+limit.String()))
		}
		if took = time.Since(begin); took <= limit+machineTime {
			return err
		}
	}
	t.stop("the duration of "+what, took.Round(time.Millisecond), text("at most "+limit.String()))
	return err
}

// patience returns how long a case waits for the return of a call after its deadline. It
// is short once a call has ignored its context, because every rule would meet the same
// defect.
func (s *suite) patience() time.Duration {
	if s.impatient.Load() {
		return time.Second
	}
	return 4 * time.Second
}

// withCallTime returns a context whose deadline passes during a call.
func withCallTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTime)
}

// cancelledDuring returns a context without a deadline that is cancelled during a call.
func cancelledDuring(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	time.AfterFunc(callTime, cancel)
	return ctx, cancel
}

// againstSilentServer calls every operation on a server that does not answer, each
// through a proxy of its own and all at once, with a context that end makes. The error
// must wrap want, if it is not nil.
func (t *attempt) againstSilentServer(limit time.Duration, end func(context.Context) (context.Context, context.CancelFunc), want error) {
	operations := t.supported(allOperations)
	opened := make([]proxied, len(operations))
	for i := range opened {
		opened[i] = t.openProxied()
	}
	t.concurrently(len(operations), func(i int) {
		op, w := operations[i], opened[i]
		w.inject(proxy.Blackhole)
		what := op.name + " on a server that does not answer"
		err := t.returnsWithin(what, limit, func() error {
			ctx, cancel := end(t.ctx)
			defer cancel()
			return op.call(ctx, w.handle, "k")
		})
		switch {
		case op.name == "Clear" && errors.Is(err, errors.ErrUnsupported):
		case want != nil:
			t.errorIs(what, err, want)
		default:
			t.isError(what, err)
		}
		w.Drop()
		w.recovers("the silence")
	})
}
