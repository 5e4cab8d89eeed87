package conformance

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// failure is one observation that breaks the rule.
type failure struct {
	what, got, want, line string
	hint                  string // what to declare, if it is a documented limit
	crash                 string // the stack of a panic or a hang, which no declaration excuses
}

// stop ends a case from inside a helper. The runner recovers it.
type stop struct{}

// wrong records an observation that breaks the rule. After the end of the
// attempt's context the rule cannot be judged.
func (t *attempt) wrong(what string, got, want any) {
	if reason, over := t.isOver(); over {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.obstacle = reason
		return
	}
	err, _ := got.(error)
	t.fail(failure{what: what, got: show(got), want: show(want), line: caseLine(), hint: t.limitHint(err)})
}

// fail records a failure, with the key of the last step.
func (t *attempt) fail(f failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const enough = 5
	if t.abandoned || len(t.failures) >= enough {
		return
	}
	if t.lastKey != "" && t.callers.Load() == 0 && !strings.Contains(f.what, `"`) && f.crash == "" {
		f.what += ", key " + t.lastKey
	}
	t.failures = append(t.failures, f)
}

// limitHint names the limits that a backend could declare for err.
func (t *attempt) limitHint(err error) string {
	limits := t.harness.Limits
	switch {
	case errors.Is(err, driver.ErrInvalidKey) && limits.MaxKey == 0 && limits.KeyAlphabet == "":
		return "declare Limits.MaxKey, KeyAlphabet or RefusedKeys, if the store has such a limit"
	case errors.Is(err, driver.ErrTooLarge) && limits.MaxValue == 0 && limits.MaxEntry == 0:
		return "declare Limits.MaxValue or MaxEntry, if the store has such a limit"
	}
	return ""
}

// step counts a step, for the watchdog, and remembers its keys, for messages.
func (t *attempt) step(keys ...string) {
	t.steps.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.abandoned {
		panic(stop{})
	}
	if len(keys) > 0 {
		t.lastKey = show(keys[0])
	}
}

// stop is wrong for a case that cannot continue.
func (t *attempt) stop(what string, got, want any) {
	t.wrong(what, got, want)
	panic(stop{})
}

// equal records a failure if got is not want.
func equal[V comparable](t *attempt, what string, got, want V) {
	if got != want {
		t.wrong(what, got, want)
	}
}

// errorIs records a failure if err does not wrap want.
func (t *attempt) errorIs(what string, err, want error) {
	if !errors.Is(err, want) {
		t.wrong(what, err, text(fmt.Sprintf("an error that wraps %q", want)))
	}
}

// isError records a failure if err is nil.
func (t *attempt) isError(what string, err error) {
	if err == nil {
		t.wrong(what, text("no error"), text("an error"))
	}
}

// must stops the case if err is not nil. If the server cannot be reached or
// rejects the backend, the rule cannot be judged.
func (t *attempt) must(what string, err error) {
	t.step()
	var outside *outsideAlphabet
	switch {
	case err == nil:
	case errors.As(err, &outside):
		t.notApplicable("keys consist of other bytes (Limits.KeyAlphabet)")
	case isOutage(err):
		t.giveUp(what + ": " + err.Error())
	default:
		t.stop(what, err, text("no error"))
	}
}

// giveUp ends the case because the rule cannot be judged.
func (t *attempt) giveUp(obstacle string) {
	t.mu.Lock()
	t.obstacle = obstacle
	t.mu.Unlock()
	panic(stop{})
}

// notApplicable ends the case in a mode to which the rule does not apply.
func (t *attempt) notApplicable(reason string) {
	t.mu.Lock()
	t.inapplicable = reason
	t.mu.Unlock()
	panic(stop{})
}

// concurrently runs n goroutines and waits for them.
func (t *attempt) concurrently(n int, run func(i int)) {
	var wait sync.WaitGroup
	t.callers.Add(1)
	defer t.callers.Add(-1)
	for i := range n {
		wait.Go(func() {
			defer t.recoverPanic()
			run(i)
		})
	}
	wait.Wait()
	t.mu.Lock()
	gaveUp := t.obstacle != "" || t.inapplicable != ""
	t.mu.Unlock()
	if gaveUp {
		panic(stop{})
	}
}

// recoverPanic is deferred in every goroutine of a case.
func (t *attempt) recoverPanic() {
	switch p := recover(); p.(type) {
	case nil, stop:
	default:
		t.panicked(p)
	}
}

// finishes stops the case if call neither returns nor makes steps.
func (t *attempt) finishes(what string, call func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.recoverPanic()
		call()
	}()
	const limit = 10 * time.Second
	t.sleeping.Add(int64(limit))
	defer t.sleeping.Add(-int64(limit))
	for steps := int64(-1); steps != t.steps.Load(); {
		steps = t.steps.Load()
		select {
		case <-done:
			return
		case <-time.After(limit):
		}
	}
	t.stop(what, text(fmt.Sprintf("no return, and no step for %v", limit)), text("it returns"))
}

// text is a sentence in place of a value: it is printed without quotes.
type text string

// show formats a value for a failure: quoted, and truncated if it is long.
func show(v any) string {
	switch v := v.(type) {
	case text:
		return string(v)
	case []byte:
		return quote(string(v), 80)
	case string:
		return quote(v, 80)
	case error:
		return "error " + quote(v.Error(), 400)
	}
	return fmt.Sprint(v)
}

func quote(s string, limit int) string {
	if len(s) > limit {
		return fmt.Sprintf("%q... (%d bytes)", s[:limit], len(s))
	}
	return strconv.Quote(s)
}

// caseLine returns the file and line of the running case.
func caseLine() string {
	callers := make([]uintptr, 30)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		file := frame.File[strings.LastIndexByte(frame.File, '/')+1:]
		if strings.HasPrefix(file, "cases_") || strings.HasPrefix(file, "model") {
			return fmt.Sprintf("%s:%d", file, frame.Line)
		}
		if !more {
			return ""
		}
	}
}
