package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
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
	handle *handle // through Cache
}

// openProxied opens a backend through a proxy and uses it once: connections are
// then open, and the server's greeting has been read.
func (t *attempt) openProxied() proxied {
	p, err := proxy.New(t.harness.Faults.Addr)
	t.must("starting the proxy", err)
	t.toClose = append(t.toClose, p)
	b, err := t.harness.Faults.New(t.test, p.Addr())
	t.must("opening the backend through the proxy", err)
	t.toClose = append(t.toClose, b)
	w := proxied{p, t, t.throughCache(cache.New(b))}
	w.handle.prefix = t.id + ":" // the server behind the proxy is the same for all cases
	t.must("Set through the proxy", w.handle.Set(t.ctx, "proxied", []byte("proxied-value"), time.Hour))
	_, _, err = w.handle.Get(t.ctx, "proxied")
	t.must("Get through the proxy", err)
	return w
}

// throughCache returns a handle of c, which has no prefix, with the keys of t.
func (t *attempt) throughCache(c *cache.Cache) *handle {
	return &handle{cache: c, prefix: t.handle.prefix, written: t.handle.written}
}

// inject sets the fault.
func (w proxied) inject(f proxy.Fault) { w.t.must("setting the proxy", w.Set(f)) }

// recovers ends all faults and checks that the backend works again. The first
// call may still use a broken connection.
func (w proxied) recovers(after string) {
	w.inject(proxy.Pass)
	w.handle.Get(w.t.ctx, "proxied")
	for i := range 5 {
		value, ok, err := w.handle.Get(w.t.ctx, "proxied")
		if err != nil || !ok || string(value) != "proxied-value" {
			w.t.stop(fmt.Sprintf("Get %d after the end of %s", i+1, after), text(fmt.Sprintf("%s, ok=%v, %v", show(value), ok, err)), "proxied-value")
		}
	}
}

// returnsWithin stops the case if call takes longer than limit three times in a
// row, because the machine may be busy. It returns the error of call.
func (t *attempt) returnsWithin(what string, limit time.Duration, call func() error) (err error) {
	var took time.Duration
	for range 3 {
		begin := time.Now()
		err = call()
		if took = time.Since(begin); took <= limit+machineTime {
			return err
		}
	}
	t.stop("the duration of "+what, took.Round(time.Millisecond), text("at most "+limit.String()))
	return err
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

// againstSilentServer calls every operation on a server that does not answer,
// with a context that end makes. The error must wrap want, if it is not nil.
func (t *attempt) againstSilentServer(limit time.Duration, end func(context.Context) (context.Context, context.CancelFunc), want error) {
	w := t.openProxied()
	for _, op := range t.supported(keyOperations) {
		w.inject(proxy.Blackhole)
		what := op.name + " on a server that does not answer"
		err := t.returnsWithin(what, limit, func() error {
			ctx, cancel := end(t.ctx)
			defer cancel()
			return op.call(ctx, w.handle, "k")
		})
		if want != nil {
			t.errorIs(what, err, want)
		} else {
			t.isError(what, err)
		}
		w.Drop()
	}
	w.recovers("the silence")
}
