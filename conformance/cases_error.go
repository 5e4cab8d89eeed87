package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var errorCases = []Case{
	{ID: "ERR-1", Name: "server_unavailable",
		Rule:     "if connections are refused, every operation returns ErrUnavailable within 50 ms, and works again afterwards",
		Why:      "If an outage looks like a miss, the program loads everything again from its slower source.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore,
		run: serverUnavailable},
	{ID: "ERR-2", Name: "errors_are_distinguishable",
		Rule:  "errors.Is distinguishes invalid key, invalid timeout, too large, not an integer and closed",
		Why:   "Programs handle these errors differently, and a text is not a stable way to match them.",
		flags: cacheOnly | needsOwnStore | alsoNull,
		run:   errorsAreDistinguishable},
	{ID: "ERR-3", Name: "access_denied",
		Rule:          "if the server rejects the backend, every operation returns ErrAuth and not ErrUnavailable",
		Why:           "An outage ends without a change of the program, but a wrong password must be corrected.",
		flags:         oneModeOnly | needsOwnStore,
		notApplicable: needsStore("Unauthorized", func(s Stores) bool { return s.Unauthorized != nil }),
		run: func(t *attempt) {
			h := t.openStore(t.harness.Stores.Unauthorized(t.test))
			for _, op := range t.supported(allOperations) {
				what := op.name + " without access"
				err := t.returnsWithin(what, 5*time.Second, func() error { return op.call(t.ctx, h, "k") })
				if op.name == "Clear" && errors.Is(err, errors.ErrUnsupported) {
					continue
				}
				t.errorIs(what, err, driver.ErrAuth)
				if errors.Is(err, driver.ErrUnavailable) {
					t.wrong(what, err, text("not ErrUnavailable"))
				}
			}
		}},
	{ID: "ERR-4", Name: "full_store",
		Rule:          "if the store is full, writes return ErrFull and name the keys that are not stored; reads and deletes work; an overwritten key holds its old value or nothing",
		Why:           "A full store is not an outage: its entries can still be read.",
		flags:         oneModeOnly | needsOwnStore,
		notApplicable: needsStore("Full", func(s Stores) bool { return s.Full != nil }),
		run:           fullStore},
	{ID: "ERR-5", Name: "error_text",
		Rule:  "the text of an error has the operation, the backend and the quoted, truncated key, and never the value",
		Why:   "A key from outside could forge lines of a log, and values may be confidential.",
		flags: cacheOnly | alsoNull,
		run:   errorText},
	{ID: "ERR-6", Name: "ignore_errors",
		Rule:     "WithIgnoreErrors turns every outage into a miss, false or nil, and calls the observer once for each",
		Why:      "A program that can work without its cache must not fail in an outage of the cache.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore,
		run: ignoreErrors},
	{ID: "ERR-7", Name: "lost_reply",
		Rule:     "a write whose reply is lost returns its result or ErrUnknownOutcome; a read returns its result or ErrUnavailable",
		Why:      "A repeated Delete reports that the key was absent, and a program repeats a write if the error says that it was not executed.",
		Features: []Feature{Network}, flags: oneModeOnly | needsOwnStore,
		run: lostReplies},
}

// lostReplies loses the reply of each operation once. Add, Inc and leases have rules of
// their own.
func lostReplies(t *attempt) {
	w := t.openProxied()
	for _, op := range t.supported(keyOperations) {
		if op.name == "Add" || op.name == "Inc" || op.needs == Lease {
			continue
		}
		w.untilLost(func(int) error {
			w.set("k", []byte("2"))
			w.set(beside, []byte("2"))
			w.inject(proxy.LostReply)
			begin := time.Now()
			err := op.call(t.ctx, w.handle, "k")
			what := op.name + " whose reply was lost"
			switch {
			case op.name == "Get" && errors.Is(err, errResult): // it expects another value
				return nil
			case err == nil:
			case slices.Contains([]string{"Get", "GetMany", "GetAppend", "GetWithTTL", "GetManyWithTTL", "Has", "TTL"}, op.name):
				t.errorIs(what, err, driver.ErrUnavailable)
			default:
				t.isUnknown(what, begin, err)
			}
			return err
		})
		w.recovers("a lost reply of " + op.name)
	}
}

func serverUnavailable(t *attempt) {
	w := t.openProxied()
	w.inject(proxy.Refuse)
	_ = w.reach() // finds that the connection is broken
	for _, op := range t.supported(allOperations) {
		what := op.name + " with connections refused"
		err := t.returnsWithin(what, 50*time.Millisecond, func() error { return op.call(t.ctx, w.handle, "k") })
		if op.name != "Clear" || !errors.Is(err, errors.ErrUnsupported) {
			t.errorIs(what, err, driver.ErrUnavailable)
		}
	}
	w.recovers("the outage")
}

// wraps records a failure if err wraps another sentinel than want.
func (t *attempt) wraps(what string, err, want error) {
	t.errorIs(what, err, want)
	var made *cache.Error
	if !errors.As(err, &made) {
		t.wrong(what, err, text("a *cache.Error"))
	}
	for _, other := range []error{driver.ErrInvalidKey, driver.ErrInvalidTimeout, driver.ErrTooLarge, driver.ErrNotInteger, driver.ErrClosed} {
		if other != want && errors.Is(err, other) {
			t.wrong(what, err, text("not "+show(other)))
		}
	}
}

func errorsAreDistinguishable(t *attempt) {
	key := t.cacheKey("k")
	_, _, err := t.cache.Get(t.ctx, "")
	t.wraps("Get with an empty key", err, driver.ErrInvalidKey)
	t.wraps("Set with a negative timeout", t.cache.Set(t.ctx, key, nil, cache.Timeout(-1)), driver.ErrInvalidTimeout)
	if limit := t.maxValueOf("k"); limit != 0 {
		t.wraps("Set of a value over the limit", t.cache.Set(t.ctx, key, randomBytes(1, limit+1)), driver.ErrTooLarge)
	}
	if t.supports(Storage) && t.supports(Counter) {
		t.must("Set", t.cache.Set(t.ctx, key, []byte("text")))
		_, err = t.cache.Inc(t.ctx, key, 1)
		t.wraps("Inc of a text", err, driver.ErrNotInteger)
		_, err = t.cache.Delete(t.ctx, key)
		t.must("Delete", err)
	}
	t.must("Close", t.close())
	_, _, err = t.cache.Get(t.ctx, key)
	t.wraps("Get after Close", err, driver.ErrClosed)
}

func fullStore(t *attempt) {
	const moreThanItHolds = 32 << 20
	size := 20 << 10
	if limit := t.harness.Limits.maxValue(); limit != 0 {
		size = min(size, limit/2)
	}
	h := t.openStore(t.harness.Stores.Full(t.test))
	list, err := t.fill(h, moreThanItHolds/size, size)
	t.errorIs("SetMany of more than the store holds", err, driver.ErrFull)
	failed := t.failedKeys(h, err)
	var stored []string
	for _, key := range list {
		value, ok, err := h.Get(t.ctx, key)
		t.must("Get from a full store", err)
		if named := failed[key] != nil; ok == named {
			t.stop("the key "+show(key), text(fmt.Sprintf("stored: %v, in the BatchError: %v", ok, named)), text("exactly one of the two"))
		}
		if ok && string(value) != filling(key, size) {
			t.stop("Get from a full store", value, text("the value that was stored"))
		}
		if ok {
			stored = append(stored, key)
		}
	}
	if len(stored) == 0 {
		t.stop("entries of a full store", 0, text("some"))
	}
	t.overwriteInFull(h, stored[0], filling(stored[0], size))
	for _, key := range list {
		_, err := h.Delete(t.ctx, key)
		t.must("Delete from a full store", err)
	}
	t.must("Set after Delete of everything", h.Set(t.ctx, "again", make([]byte, size), time.Hour))
}

// overwriteInFull sets key of a full store, which holds old, to a larger value.
func (t *attempt) overwriteInFull(h *handle, key, old string) {
	errSet := h.Set(t.ctx, key, []byte(old+old), time.Hour)
	if errSet != nil {
		t.errorIs("Set over an entry of a full store", errSet, driver.ErrFull)
	}
	value, ok, err := h.Get(t.ctx, key)
	t.must("Get", err)
	switch got := string(value); {
	case got == old+old:
	case errSet != nil && (!ok || got == old):
	default:
		t.wrong("Get after Set over an entry of a full store", value, text("the new value if it was stored, or else the old one or a miss"))
	}
}

func errorText(t *attempt) {
	const value = "the-secret-value"
	key := t.cacheKey("line\nbreak" + strings.Repeat("x", 100))
	got := fmt.Sprint(t.cache.Set(t.ctx, key, []byte(value), cache.Timeout(-1)))
	for what, want := range map[string]string{"the operation": " set ", "the backend": t.cache.Name(), "the quoted key": `\n`} {
		if !strings.Contains(got, want) {
			t.wrong("the text of an error contains "+what, got, text("it contains "+show(want)))
		}
	}
	if strings.ContainsAny(got, "\n\r") || strings.Contains(got, value) || len(got) > 400 {
		t.wrong("the text of an error", got, text("one truncated line without the value"))
	}
	if !t.supports(Storage) || !t.supports(Counter) {
		return
	}
	key = t.cacheKey("k")
	t.must("Set", t.cache.Set(t.ctx, key, []byte(value)))
	if _, err := t.cache.Inc(t.ctx, key, 1); strings.Contains(fmt.Sprint(err), value) {
		t.wrong("the text of the error of Inc of a text", err, text("a text without the value"))
	}
}

func ignoreErrors(t *attempt) {
	w := t.openProxied()
	events, failed := 0, 0
	through := t.throughCache(cache.New(w.handle.cache.Backend(), cache.WithIgnoreErrors(), cache.WithObserver(func(_ context.Context, e cache.Event) {
		if e.Duration == 0 { // not an operation: see driver.EventSource
			return
		}
		events++
		if e.Err != nil {
			failed++
		}
	})))
	w.inject(proxy.Refuse)
	operations := slices.DeleteFunc(t.ofCache(keyOperations), func(op operation) bool { return op.needs == Lease }) // see LSE-15
	for _, op := range operations {
		if err := op.call(t.ctx, through, "k"); err != nil && !errors.Is(err, errResult) {
			t.wrong(op.name+" with connections refused and WithIgnoreErrors", err, text("no error"))
		}
	}
	equal(t, "calls of the observer", events, len(operations))
	equal(t, "calls of the observer with an error", failed, len(operations))
	w.recovers("the outage")
}
