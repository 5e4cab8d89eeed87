package conformance

import (
	"errors"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// The clients behind a proxy have short timeouts, so that rules about a silent server end
// soon. If the machine stands still for longer, their calls fail although nothing is
// wrong. Calls that only prepare or confirm something are therefore repeated.

const (
	// stallTime is how long a call takes at least that fails because of a stall.
	stallTime = 500 * time.Millisecond
	// mostStalls is how many such calls to one backend are repeated. A backend that hangs
	// because of a defect hangs more often.
	mostStalls = 3
)

// despiteStalls repeats call while it fails after a stall.
func (w proxied) despiteStalls(call func() error) error {
	for {
		begin := time.Now()
		err := call()
		if err == nil || time.Since(begin) < stallTime || w.stalls.Add(1) > mostStalls {
			return err
		}
	}
}

// succeeds stops the case if call fails, and not because of a stall.
func (w proxied) succeeds(what string, call func() error) {
	w.t.must(what, w.despiteStalls(call))
}

// isUnknown records a failure if the outcome of a write is not unknown. The write began at
// begin, and its reply was lost. A write that a stall ended may have sent nothing.
func (t *attempt) isUnknown(what string, begin time.Time, err error) {
	if errors.Is(err, driver.ErrUnavailable) && time.Since(begin) >= stallTime {
		return
	}
	t.errorIs(what, err, driver.ErrUnknownOutcome)
}

// set stores value under key.
func (w proxied) set(key string, value []byte) {
	w.succeeds("Set through the proxy", func() error { return w.handle.Set(w.t.ctx, key, value, time.Hour) })
}

// get returns the value of key, and whether key is present.
func (w proxied) get(key string) (value []byte, ok bool) {
	w.succeeds("Get through the proxy", func() (err error) {
		value, ok, err = w.handle.Get(w.t.ctx, key)
		return err
	})
	return value, ok
}

// acquire returns the token of a new lease of key, which is absent. A call that failed may
// have acquired the lease: Delete ends it.
func (w proxied) acquire(what, key string) (token string) {
	repeated := false
	w.succeeds(what, func() (err error) {
		if repeated {
			if _, err = w.handle.Delete(w.t.ctx, key); err != nil {
				return err
			}
		}
		repeated = true
		token, err = w.handle.acquire(w.t.ctx, key)
		return err
	})
	return token
}

// fills records a failure if token does not fill key. A call that failed may have filled
// it: key then holds value.
func (w proxied) fills(what, key, token, value string) {
	calls, filled := 0, false
	w.succeeds(what, func() (err error) {
		calls++
		filled, err = w.handle.Fill(w.t.ctx, key, token, []byte(value), time.Hour)
		return err
	})
	if calls > 1 && !filled {
		got, ok := w.get(key)
		filled = ok && string(got) == value
	}
	equal(w.t, what, filled, true)
}

// watch calls Watch and waits until it is ready.
func (w proxied) watch(prefix string, grace time.Duration) (started *watching) {
	w.succeeds("Watch through the proxy", func() error {
		started = w.t.startWatch(w.t.ctx, w.handle.direct(), prefix, grace)
		if started.becomesReady() {
			return nil
		}
		return started.result()
	})
	started.awaitReady() // it may have returned nil
	return started
}
