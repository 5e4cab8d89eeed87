package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
)

// slack is what a busy machine may take beyond a promised time.
const slack = 150 * time.Millisecond

// wire is a backend whose server is behind a proxy.
type wire struct {
	*proxy.Proxy
	t     *T
	store *store // through Cache
}

// wire opens a backend through a proxy and uses it once, so that connections
// are made and what a server greets with is over.
func (t *T) wire() wire {
	p, err := proxy.New(t.harness.Faults.Addr)
	t.Ok("starting the proxy", err)
	t.closing = append(t.closing, p)
	b, err := t.connect(p.Addr())
	t.Ok("opening the backend through the proxy", err)
	t.closing = append(t.closing, b)
	w := wire{p, t, &store{cache: cache.New(b), prefix: t.try.prefix, recorder: t.try.recorder}}
	t.Ok("Set through the proxy", w.store.Set(t.ctx, "wire", []byte("wire-value"), time.Hour))
	_, _, err = w.store.Get(t.ctx, "wire")
	t.Ok("Get through the proxy", err)
	return w
}

// become sets the fault.
func (w wire) become(f proxy.Fault) { w.t.Ok("setting the proxy", w.Set(f)) }

// mend ends all faults and looks whether the backend works again: the first call
// may still meet a connection that broke.
func (w wire) mend(after string) {
	w.become(proxy.Pass)
	w.store.Get(w.t.ctx, "wire")
	for i := range 5 {
		value, ok, err := w.store.Get(w.t.ctx, "wire")
		if err != nil || !ok || string(value) != "wire-value" {
			w.t.Stop(fmt.Sprintf("Get %d after %s has ended", i+1, after), text(fmt.Sprintf("%s, %v, %v", show(value), ok, err)), "wire-value")
		}
	}
}

// within stops the case where call takes longer than limit, three times in a
// row: the machine may be busy.
func (t *T) within(what string, limit time.Duration, call func() error) (err error) {
	var took time.Duration
	for range 3 {
		begin := time.Now()
		err = call()
		if took = time.Since(begin); took <= limit+slack {
			return err
		}
	}
	t.Stop("the time of "+what, took.Round(time.Millisecond), text("at most "+limit.String()))
	return err
}

func constructorWithoutServer(t *T) {
	p, err := proxy.New(t.harness.Faults.Addr)
	t.Ok("starting the proxy", err)
	p.Close()
	var b cache.Backend
	err = t.within("the constructor without a server", 5*time.Second, func() (err error) {
		if b, err = t.connect(p.Addr()); err == nil {
			t.closing = append(t.closing, b)
		}
		return err
	})
	if err != nil {
		t.ErrorIs("the constructor without a server", err, cache.ErrUnavailable)
		return
	}
	t.ErrorIs("Ping without a server", cache.New(b).Ping(t.ctx), cache.ErrUnavailable)
}

func serverGone(t *T) {
	w := t.wire()
	w.become(proxy.Refuse)
	w.store.Get(t.ctx, "wire") // finds the connection broken
	for _, v := range t.possible(keyVerbs) {
		err := t.within(v.name+" with nobody listening", 50*time.Millisecond, func() error { return v.call(t.ctx, w.store, "k") })
		t.ErrorIs(v.name+" with nobody listening", err, cache.ErrUnavailable)
	}
	t.ErrorIs("Ping with nobody listening", w.store.cache.Ping(t.ctx), cache.ErrUnavailable)
	w.mend("an outage")
}

// silent makes each call against a server that says nothing; end gives it a
// context that ends while the call waits, and says what the error must be.
func (t *T) silent(limit time.Duration, end func(context.Context) (context.Context, context.CancelFunc), want error) {
	w := t.wire()
	for _, v := range t.possible(keyVerbs) {
		w.become(proxy.Blackhole)
		err := t.within(v.name+" against a silent server", limit, func() error {
			ctx, cancel := end(t.ctx)
			defer cancel()
			return v.call(ctx, w.store, "k")
		})
		if want != nil {
			t.ErrorIs(v.name+" against a silent server", err, want)
		} else {
			refused(t, v.name+" against a silent server", err)
		}
		w.Drop()
	}
	w.mend("a silent server")
}

const patience = 100 * time.Millisecond

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, patience)
}

func deadlineDuring(t *T) { t.silent(patience+50*time.Millisecond, withDeadline, nil) }

func deadlineError(t *T) { t.silent(time.Minute, withDeadline, context.DeadlineExceeded) }

func cancelDuring(t *T) {
	bound := t.harness.Faults.CancelBound
	if bound == 0 {
		bound = 50 * time.Millisecond
	}
	t.silent(patience+bound, func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(patience, cancel)
		return ctx, cancel
	}, nil)
}

func doneSendsNothing(t *T) {
	w := t.wire()
	done, cancel := context.WithCancel(t.ctx)
	cancel()
	_, _, before, _ := w.Counts()
	for _, v := range t.possible(keyVerbs) {
		t.ErrorIs(v.name+" with a cancelled context", v.call(done, w.store, "k"), context.Canceled)
	}
	_, _, after, _ := w.Counts()
	Equal(t, "bytes sent for a context that is done", after-before, 0)
}

func slowWriteKeepsDeadline(t *T) {
	const ttl = 20 * time.Second
	w := t.wire()
	w.Delay = 500 * time.Millisecond
	most := ttl - w.Delay + t.harness.Resolution
	var left time.Duration
	for range 3 { // a pause of the machine would hide that a life is longer
		w.become(proxy.Latency)
		t.Ok("Set over a slow connection", w.store.Set(t.ctx, "slow", []byte("v"), ttl))
		w.become(proxy.Pass)
		var ok bool
		var err error
		left, ok, err = w.store.TTL(t.ctx, "slow")
		t.Ok("TTL", err)
		Equal(t, "an entry after a slow Set", ok, true)
		if left > most {
			break
		}
	}
	what := fmt.Sprintf("TTL after a Set with %v that took %v on the way", ttl, w.Delay)
	switch declared := t.harness.LateLife; {
	case declared == "" && left > most:
		t.Wrong(what, left, text("at most "+most.String()))
	case declared != "" && left > most:
		t.NotHere(declared)
	case declared != "":
		t.Wrong(what+", which Harness.LateLife says comes on top", left, text("more than "+most.String()+": take it out of the harness"))
	}
}

func (t *T) roundTrips() {
	const n = 100
	w := t.wire()
	list, items := keys("k", n), map[string]string{}
	for _, key := range list {
		items[key] = "v"
	}
	turns := func(what string, call func() error) {
		_, before, _, _ := w.Counts()
		t.Ok(what, call())
		_, after, _, _ := w.Counts()
		if got := after - before; got > n+10 {
			t.Wrong(fmt.Sprintf("round trips of %s of %d keys", what, n), got, text("at most one for each key"))
		}
	}
	turns("SetMany", func() error { return w.store.SetMany(t.ctx, items, time.Hour) })
	turns("GetMany", func() error { _, err := w.store.GetMany(t.ctx, list...); return err })
	if t.harness.DeleteReads == "" {
		turns("DeleteMany", func() error { _, err := w.store.DeleteMany(t.ctx, list...); return err })
	}
}

func batchDeadline(t *T) {
	const n = 100
	w := t.wire()
	list, items := keys("k", n), map[string]string{}
	for _, key := range list {
		items[key] = "v"
	}
	w.Delay = 20 * time.Millisecond
	w.become(proxy.Latency)
	for what, call := range map[string]func(context.Context) error{
		"SetMany":    func(ctx context.Context) error { return w.store.SetMany(ctx, items, time.Hour) },
		"GetMany":    func(ctx context.Context) error { _, err := w.store.GetMany(ctx, list...); return err },
		"DeleteMany": func(ctx context.Context) error { _, err := w.store.DeleteMany(ctx, list...); return err },
	} {
		err := t.within(what+" over a slow connection", patience+50*time.Millisecond, func() error {
			ctx, cancel := withDeadline(t.ctx)
			defer cancel()
			return call(ctx)
		})
		if err != nil {
			t.ErrorIs(what+" that did not end in time", err, context.DeadlineExceeded)
		}
	}
}

func lostAdd(t *T) {
	w := t.wire()
	w.become(proxy.LostReply)
	added, err := w.store.Add(t.ctx, "k", []byte("v"), time.Hour)
	if !added || err != nil {
		t.ErrorIs(fmt.Sprintf("Add whose reply was lost (it returned %v)", added), err, cache.ErrUnknownOutcome)
	}
	w.mend("a lost reply")
}

func lostInc(t *T) {
	w := t.wire()
	t.Ok("Set", w.store.Set(t.ctx, "n", []byte("0"), time.Hour))
	w.become(proxy.LostReply)
	sum, err := w.store.Inc(t.ctx, "n", 1, time.Hour)
	if sum != 1 || err != nil {
		t.ErrorIs(fmt.Sprintf("Inc whose reply was lost (it returned %d)", sum), err, cache.ErrUnknownOutcome)
	}
	w.mend("a lost reply")
	value, _, err := w.store.Get(t.ctx, "n")
	t.Ok("Get", err)
	if counted := string(value); counted != "0" && counted != "1" {
		t.Wrong("the counter, from 0, after one Inc whose reply was lost", counted, text("0 or 1"))
	}
}

// garbledReplies breaks replies in the middle, and forges them.
func garbledReplies(t *T) {
	w := t.wire()
	for name, f := range map[string]proxy.Fault{
		"a reset": proxy.Reset, "half a reply and a reset": proxy.PartialReset, "half a reply": proxy.PartialHang,
		"garbage": proxy.Garbage, "one byte at a time": proxy.Drip,
	} {
		w.become(f)
		ctx, cancel := withDeadline(t.ctx)
		value, ok, err := w.store.Get(ctx, "wire")
		cancel()
		if err == nil && (!ok || string(value) != "wire-value") {
			t.Wrong("Get with "+name, text(fmt.Sprintf("%s, %v, no error", show(value), ok)), text("its value, or an error"))
		}
		w.Drop()
		w.mend(name)
	}
}

func ignoreErrors(t *T) {
	w := t.wire()
	events, failed := 0, 0
	c := cache.New(w.store.cache.Backend(), cache.WithIgnoreErrors(), cache.WithObserver(func(_ context.Context, e cache.Event) {
		events++
		if e.Err != nil {
			failed++
		}
	}))
	through := &store{cache: c, prefix: t.try.prefix, recorder: t.try.recorder}
	w.become(proxy.Refuse)
	verbs := t.possible(keyVerbs)
	for _, v := range verbs {
		if err := v.call(t.ctx, through, "k"); err != nil && !errors.Is(err, errResult) {
			t.Wrong(v.name+" with nobody listening and WithIgnoreErrors", err, text("no error"))
		}
	}
	Equal(t, "calls of the observer", events, len(verbs))
	Equal(t, "calls of the observer with an error", failed, len(verbs))
	w.mend("an outage")
}
