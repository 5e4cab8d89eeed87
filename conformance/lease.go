package conformance

import (
	"context"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// Operations of handles on leases and compare-and-swap, and the steps that use them.

func (h *handle) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	h.written.note(h.prefix + key)
	if h.bare != nil {
		return h.bare.Lease(ctx, h.prefix+key, hold)
	}
	return h.cache.Lease(ctx, h.prefix+key, hold)
}

func (h *handle) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	h.written.note(h.prefix + key)
	if h.bare != nil {
		return h.bare.Fill(ctx, h.prefix+key, token, value, ttl)
	}
	return h.cache.Fill(ctx, h.prefix+key, token, value, cache.Timeout(ttl))
}

func (h *handle) Release(ctx context.Context, key, token string) error {
	if h.bare != nil {
		return h.bare.Release(ctx, h.prefix+key, token)
	}
	return h.cache.Release(ctx, h.prefix+key, token)
}

func (h *handle) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	h.written.note(h.prefix + key)
	if h.bare != nil {
		return h.bare.CompareAndSwap(ctx, h.prefix+key, old, value, ttl)
	}
	return h.cache.CompareAndSwap(ctx, h.prefix+key, old, value, cache.Timeout(ttl))
}

// acquire returns the token of a new lease of key, and stops the case if the store
// grants none.
func (h *handle) acquire(ctx context.Context, key string) (token string, err error) {
	value, ok, token, err := h.Lease(ctx, key, driver.MaxHold)
	if err == nil && (ok || token == "") {
		err = fmt.Errorf("%w: Lease of an absent key is %s, want a token", errResult, leaseText(string(value), ok, token))
	}
	return token, err
}

func leaseText(value string, ok bool, token string) text {
	switch {
	case ok && token != "":
		return text(fmt.Sprintf("the value %s and a token", show(value)))
	case ok:
		return text("the value " + show(value))
	case token != "":
		return "a token"
	}
	return "neither a value nor a token"
}

// tryLease returns what Lease returns.
func (t *attempt) tryLease(key string, hold time.Duration) (value string, ok bool, token string) {
	got, ok, token, err := t.handle.Lease(t.ctx, key, hold)
	t.must(fmt.Sprintf("Lease(%s, %v)", show(key), hold), err)
	if ok && token != "" {
		t.wrong("Lease("+show(key)+")", leaseText(string(got), ok, token), text("a value or a token"))
	}
	return string(got), ok, token
}

// lease returns the token of a lease of key, which is absent and not leased.
func (t *attempt) lease(when, key string, hold time.Duration) (token string) {
	value, ok, token := t.tryLease(key, hold)
	if token == "" || ok {
		t.stop(when+": Lease("+show(key)+")", leaseText(value, ok, token), text("a token"))
	}
	return token
}

// isLeased records a failure if key is not leased by another caller.
func (t *attempt) isLeased(when, key string) {
	if value, ok, token := t.tryLease(key, driver.MaxHold); ok || token != "" {
		t.wrong(when+": Lease("+show(key)+")", leaseText(value, ok, token), leaseText("", false, ""))
	}
}

// leaseHits records a failure if Lease of key does not return want.
func (t *attempt) leaseHits(when, key, want string) {
	if value, ok, token := t.tryLease(key, driver.MaxHold); !ok || value != want || token != "" {
		t.wrong(when+": Lease("+show(key)+")", leaseText(value, ok, token), leaseText(want, true, ""))
	}
}

// fillLease stores value if token is the lease of key, and reports whether it did.
func (t *attempt) fillLease(key, token, value string, ttl time.Duration) bool {
	t.noteWrite(key)
	filled, err := t.handle.Fill(t.ctx, key, token, []byte(value), ttl)
	t.must(fmt.Sprintf("Fill(%s, ttl %v)", show(key), ttl), err)
	return filled
}

// fills records a failure if token is not the lease of key.
func (t *attempt) fills(when, key, token, value string) {
	equal(t, when+": Fill("+show(key)+")", t.fillLease(key, token, value, time.Hour), true)
	t.hit(when+" and Fill", key, value)
}

// refuses records a failure if Fill with token stores anything.
func (t *attempt) refuses(when, key, token string) {
	const stale = "stale"
	filled, err := t.handle.Fill(t.ctx, key, token, []byte(stale), time.Hour)
	t.must(when+": Fill("+show(key)+")", err)
	equal(t, when+": Fill("+show(key)+")", filled, false)
	if value, ok := t.get(key); ok && value == stale {
		t.wrong(when+" and a refused Fill: Get("+show(key)+")", value, text("not the refused value"))
	}
}

func (t *attempt) release(key, token string) {
	t.must("Release("+show(key)+")", t.handle.Release(t.ctx, key, token))
}

// swap replaces old by value, and reports whether it did.
func (t *attempt) swap(key, old, value string, ttl time.Duration) bool {
	earliest := t.now()
	swapped, err := t.handle.CompareAndSwap(t.ctx, key, []byte(old), []byte(value), ttl)
	t.must(fmt.Sprintf("CompareAndSwap(%s, ttl %v)", show(key), ttl), err)
	if swapped {
		t.noteWriteAt(key, earliest)
	}
	return swapped
}

// through makes the steps of call use h.
func (t *attempt) through(h *handle, call func()) {
	own := t.handle
	defer func() { t.handle = own }()
	t.handle = h
	call()
}
