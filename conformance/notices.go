package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

const (
	// watchGrace is the grace of a Watch whose connection works.
	watchGrace = 5 * time.Second
	// noticeLimit is the longest wait of a case for a notice.
	noticeLimit = 10 * time.Second
)

// watching is a call of Watch that runs.
type watching struct {
	t        *attempt
	prefix   string // as the backend receives it
	ready    chan struct{}
	returned chan struct{}
	cancel   context.CancelFunc

	mu       sync.Mutex
	isReady  bool
	changed  map[string]bool
	notified chan struct{} // has room for one
	err      error
}

// startWatch calls Watch in a goroutine.
func (t *attempt) startWatch(ctx context.Context, b driver.Watcher, prefix string, grace time.Duration) *watching {
	t.step()
	ctx, cancel := context.WithCancel(ctx)
	w := &watching{
		t: t, prefix: prefix, cancel: cancel, changed: map[string]bool{},
		ready: make(chan struct{}), returned: make(chan struct{}), notified: make(chan struct{}, 1),
	}
	go func() {
		defer close(w.returned)
		defer t.recoverPanic()
		err := b.Watch(ctx, prefix, grace, driver.Notices{Ready: w.noteReady, Changed: w.note})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	}()
	return w
}

// watch calls Watch and waits until it is ready.
func (t *attempt) watch(b driver.Watcher, prefix string) *watching {
	w := t.startWatch(t.ctx, b, prefix, watchGrace)
	w.awaitReady()
	return w
}

func (w *watching) noteReady() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isReady {
		w.t.wrong("calls of Ready", text("more than one"), 1)
		return
	}
	w.isReady = true
	close(w.ready)
}

func (w *watching) note(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.returned:
		w.t.wrong("a notice after the return of Watch", key, text("none"))
	default:
	}
	if !w.isReady {
		w.t.wrong("a notice before Ready", key, text("none"))
	}
	w.changed[key] = true
	select {
	case w.notified <- struct{}{}:
	default:
	}
}

// has reports whether a change of key was reported.
func (w *watching) has(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed[w.t.spelledKey(key)]
}

// keys returns the keys that were reported.
func (w *watching) keys() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key := range w.changed {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

// forget removes the notices so far.
func (w *watching) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.changed)
}

// wasReady reports whether Ready was called.
func (w *watching) wasReady() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isReady
}

// result returns the error of Watch, which has returned.
func (w *watching) result() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// waiting marks that the case waits for the backend, for the watchdog.
func (w *watching) waiting() (done func()) {
	w.t.sleeping.Add(int64(noticeLimit))
	return func() { w.t.sleeping.Add(-int64(noticeLimit)); w.t.steps.Add(1) }
}

// limit is how long the case waits for the backend.
func (w *watching) limit() time.Duration {
	return w.t.longestWait(noticeLimit)
}

// awaitReady stops the case if Watch does not become ready.
func (w *watching) awaitReady() {
	if w.becomesReady() {
		return
	}
	err := w.result()
	if isOutage(err) {
		w.t.giveUp("Watch: " + err.Error())
	}
	w.t.stop("Watch", text(fmt.Sprintf("it returned %v", err)), text("Ready is called"))
}

// becomesReady waits until Watch is ready, and reports false if Watch has returned before.
// It stops the case if neither happens.
func (w *watching) becomesReady() bool {
	defer w.waiting()()
	select {
	case <-w.ready:
		return true
	case <-w.returned:
		return w.wasReady()
	case <-time.After(w.limit()):
		w.t.stop("Watch", text(fmt.Sprintf("no call of Ready after %v", w.limit())), text("Ready is called"))
		return false
	}
}

// outcome is what a watching caller learns of a change.
type outcome int

const (
	unreported outcome = iota
	reported
	lost // Watch has returned
)

// await waits until all keys were reported, or Watch has returned.
func (w *watching) await(keys ...string) (o outcome, missing []string) {
	defer w.waiting()()
	limit := time.After(w.limit())
	for {
		missing = nil
		for _, key := range keys {
			if !w.has(key) {
				missing = append(missing, key)
			}
		}
		if len(missing) == 0 {
			return reported, nil
		}
		select {
		case <-w.notified:
		case <-w.returned:
			if err := w.result(); err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				w.t.stop("Watch while its context is not done", text(fmt.Sprintf("it returned %v", err)), text("it blocks, or returns another error"))
			}
			return lost, missing
		case <-limit:
			return unreported, missing
		}
	}
}

// end cancels Watch and checks that it returns the error of its context.
func (w *watching) end() {
	w.cancel()
	w.endsWith("Watch whose context was cancelled", context.Canceled)
}

// endsWith stops the case if Watch does not return an error that wraps want.
func (w *watching) endsWith(what string, want error) {
	defer w.waiting()()
	select {
	case <-w.returned:
		w.t.errorIs(what, w.result(), want)
	case <-time.After(w.limit()):
		w.t.stop(what, text(fmt.Sprintf("no return after %v", w.limit())), text("it returns "+want.Error()))
	}
}

// spelledKey returns key as a store with an alphabet spells it.
func (t *attempt) spelledKey(key string) string {
	if alphabet := t.harness.Limits.KeyAlphabet; alphabet != "" {
		return newSpelling(alphabet).key(key)
	}
	return key
}
