package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// leaseCalls calls Lease, Fill and Release with a key that is not leased, and records
// a failure if an error does not wrap want.
func (t *attempt) leaseCalls(ctx context.Context, when, key string, want error) {
	_, _, _, err := t.handle.Lease(ctx, key, time.Second)
	t.errorIs("Lease "+when, err, want)
	_, err = t.handle.Fill(ctx, key, "token", []byte("v"), time.Hour)
	t.errorIs("Fill "+when, err, want)
	t.errorIs("Release "+when, t.handle.Release(ctx, key, "token"), want)
}

func leaseMistakes(t *attempt) {
	for _, key := range t.invalidKeys() {
		t.leaseCalls(t.ctx, "with the key "+show(key), key, driver.ErrInvalidKey)
	}
	if t.mode != bare {
		done, cancel := context.WithCancel(t.ctx)
		cancel()
		t.leaseCalls(done, "with a cancelled context", "k", context.Canceled)
		_, _, _, err := t.cache.Lease(t.ctx, "", time.Second)
		if t.mode != prefixed {
			t.errorIs("Lease with an empty key", err, driver.ErrInvalidKey)
		}
	}
	t.must("Close", t.close())
	t.leaseCalls(t.ctx, "after Close", "k", driver.ErrClosed)
}

// foreignTokens tries tokens that are not of a lease of the key.
func foreignTokens(t *attempt) {
	a, b := t.lease("absent key", "a", driver.MaxHold), t.lease("absent key", "b", driver.MaxHold)
	t.set("present", "v", time.Hour)
	for _, token := range []string{"", "token", a + "x", a[:len(a)-1], strings.Repeat("9", 300), "a b\r\nset k\x00", b} {
		for _, key := range []string{"a", "present", "absent"} {
			when := "with the token " + show(token)
			t.refuses(when, key, token)
			t.release(key, token)
		}
	}
	t.isLeased("after Release with foreign tokens", "a")
	t.fills("after Fill and Release with foreign tokens", "a", a, "of a")
	t.fills("after Fill and Release of another key with its token", "b", b, "of b")
	t.hit("after Fill and Release with foreign tokens", "present", "v")
	t.miss("after Fill and Release with foreign tokens", "absent")
}

func leaseWithLostReply(t *attempt) {
	w := t.openProxied()
	hold := t.shortTTL()
	var key, token string
	w.untilLost(func(i int) error {
		key = fmt.Sprintf("lost-lease-%d", i)
		w.inject(proxy.LostReply)
		_, ok, granted, err := w.handle.Lease(t.ctx, key, hold)
		if err != nil && !errors.Is(err, driver.ErrUnknownOutcome) && !errors.Is(err, driver.ErrUnavailable) {
			t.wrong("Lease whose reply was lost", err, text("ErrUnknownOutcome or ErrUnavailable"))
		}
		equal(t, "Lease whose reply was lost reports a value", ok, false)
		token = granted
		return err
	})
	w.recovers("a lost reply")
	_, ok := w.get(key)
	equal(t, "Get after a Lease whose reply was lost, ok", ok, false)
	t.pass(hold + t.resolution())
	next := w.acquire("Lease after hold", key)
	equal(t, "the token of a later lease is the same", next == token, false)
	w.fills("Fill after a Lease whose reply was lost", key, next, "v")
}

func leaseUnavailable(t *attempt) {
	const key = "unavailable-lease"
	w := t.openProxied()
	token := w.acquire("Lease through the proxy", key)
	ignoring := t.throughCache(cache.New(w.handle.cache.Backend(), cache.WithIgnoreErrors()))
	w.inject(proxy.Refuse)
	_ = w.reach() // finds that the connection is broken
	for name, call := range map[string]func() error{
		"Lease":                       func() error { _, _, _, err := w.handle.Lease(t.ctx, key, time.Second); return err },
		"Lease with WithIgnoreErrors": func() error { _, _, _, err := ignoring.Lease(t.ctx, key, time.Second); return err },
		"Fill":                        func() error { _, err := w.handle.Fill(t.ctx, key, token, []byte("v"), time.Hour); return err },
		"Release":                     func() error { return w.handle.Release(t.ctx, key, token) },
	} {
		t.errorIs(name+" with connections refused", call(), driver.ErrUnavailable)
	}
	w.recovers("the outage")
	w.fills("Fill after the outage", key, token, "v")
}
