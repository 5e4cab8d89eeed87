package guard

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// errOpen marks the error of a call that an open breaker ended. It is never returned
// alone.
var errOpen = errors.New("circuit breaker is open")

// States of a breaker, as Stats names them.
const (
	stateClosed   = "closed"
	stateOpen     = "open"
	stateHalfOpen = "half-open"
)

// breaker is the circuit breaker of one place.
type breaker struct {
	options Options
	place   string                     // in errors; empty if the backend has one place
	report  func(op string, err error) // of changes

	open  atomic.Bool
	inRow atomic.Int64 // consecutive faults while closed

	mu      sync.Mutex
	err     error     // of calls while open
	retryAt time.Time // of the next probe while open
	probing bool      // a probe is under way
	window  window
}

// pass is the permission for one call. Every pass is given back by leave.
type pass struct{ probe bool }

// enter returns a pass, or the error of an open breaker.
func (b *breaker) enter() (pass, error) {
	if !b.open.Load() {
		return pass{}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open.Load():
		return pass{}, nil
	case b.probing || time.Now().Before(b.retryAt):
		return pass{}, b.err
	}
	b.probing = true
	return pass{probe: true}, nil
}

// leave gives a pass back with the result of its call.
func (b *breaker) leave(p pass, v verdict, err error) {
	switch {
	case p.probe:
		b.endProbe(v, err)
	case b.open.Load() || v == undecided:
		// A call that began before the breaker opened says nothing new.
	case v == answered:
		if b.inRow.Load() != 0 { // a write only after a fault
			b.inRow.Store(0)
		}
		if b.options.Share > 0 {
			b.count(false)
		}
	default:
		many := b.inRow.Add(1) >= int64(b.options.Faults)
		if b.options.Share > 0 && b.count(true) {
			many = true
		}
		if many {
			b.trip(err)
		}
	}
}

// count adds a call to the window and reports whether the share of faults is reached.
func (b *breaker) count(isFault bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.window.add(time.Now(), b.options.Window, isFault)
	calls, faults := b.window.sum()
	return faults >= b.options.Faults && float64(faults) >= b.options.Share*float64(calls)
}

// trip opens the breaker.
func (b *breaker) trip(cause error) {
	b.mu.Lock()
	if b.open.Load() {
		b.mu.Unlock()
		return
	}
	b.pause(cause)
	b.open.Store(true)
	err := b.err
	b.mu.Unlock()
	b.report("breaker_open", err)
}

// pause sets the time of the next probe and the error until then. The caller holds mu.
// cause is not wrapped: what is true of it, such as ErrUnknownOutcome, is not true of
// the calls that the breaker ends.
func (b *breaker) pause(cause error) {
	b.retryAt = time.Now().Add(b.options.Pause)
	of := ""
	if b.place != "" {
		of = " of " + b.place
	}
	b.err = openError{fmt.Sprintf("%v: %v%s after repeated faults, the last: %v", driver.ErrUnavailable, errOpen, of, cause)}
}

// openError is the error of a call that an open breaker ended.
type openError struct{ text string }

func (e openError) Error() string   { return e.text }
func (e openError) Unwrap() []error { return []error{driver.ErrUnavailable, errOpen} }

func (b *breaker) endProbe(v verdict, err error) {
	b.mu.Lock()
	b.probing = false
	switch v {
	case fault:
		b.pause(err)
	case answered:
		b.inRow.Store(0)
		b.window = window{}
		b.open.Store(false)
	}
	b.mu.Unlock()
	if v == answered {
		b.report("breaker_closed", nil)
	}
}

func (b *breaker) state() string {
	if !b.open.Load() {
		return stateClosed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probing {
		return stateHalfOpen
	}
	return stateOpen
}
