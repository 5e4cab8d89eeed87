package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The watchdog. Each attempt runs in a goroutine of its own, so that a call that
// never returns costs one rule and not the run.
var (
	// attemptLimit ends the context of an attempt. A slow store has slowFactor times as much.
	attemptLimit = time.Minute
	// silenceLimit is the longest time between two steps of an attempt. After it, the
	// attempt is abandoned.
	silenceLimit = 15 * time.Second
	// shortSilence is the same after an attempt was abandoned: the backend hangs, and
	// every further rule that meets the cause would cost as much.
	shortSilence = 3 * time.Second
)

const slowFactor = 5

var errAttemptLimit = errors.New("the suite ends a mode of a rule after a minute, and after five over a slow store (Harness.Slow)")

// launch starts c in mode m. It returns when the backend is open, because
// Harness.New need not be safe for concurrent use.
func (s *suite) launch(ctx context.Context, test *testing.T, c Case, m mode) *attempt {
	t := s.newAttempt(test, c, m)
	// The context of a bubble must be created inside it.
	watched, cancel := context.WithCancelCause(ctx)
	inBubble := s.harness.Bubble && c.has(needsTime|usesFreeTime)
	if !inBubble {
		t.expire = func() { cancel(errAttemptLimit) }
	}
	labels := pprof.Labels("conformance-attempt", t.label)
	go pprof.Do(watched, labels, func(labelled context.Context) {
		defer close(t.ended)
		defer cancel(nil)
		if inBubble {
			t.performInBubble(c)
			return
		}
		t.ctx = labelled
		t.perform(c)
	})
	t.await(t.opened)
	return t
}

// performInBubble runs the attempt in a synctest bubble. A bubble panics here if
// its goroutines are blocked, or outlive the attempt.
func (t *attempt) performInBubble(c Case) {
	defer func() {
		p := recover()
		switch err, _ := p.(error); {
		case p == nil:
		case err == nil || !strings.Contains(err.Error(), "deadlock"):
			t.panicked(p)
		case t.isFinished():
			t.suite.noteLeak(c, t.goroutines())
		default:
			t.hangs("every goroutine of the bubble is blocked")
		}
	}()
	synctest.Test(t.test, func(test *testing.T) {
		t.test, t.ctx = test, test.Context()
		t.perform(c)
	})
}

// await waits for done, but not for an attempt that hangs. It counts ticks, of which a
// machine that is too busy to run the attempt delivers fewer.
func (t *attempt) await(done <-chan struct{}) {
	const tick = 10 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	steps := t.steps.Load()
	most := attemptLimit
	if t.harness.Slow {
		most *= slowFactor
	}
	var sinceBegin, sinceStep time.Duration
	for {
		select {
		case <-done:
			return
		case <-t.ended:
			return
		case <-ticker.C:
		}
		sinceBegin, sinceStep = sinceBegin+tick, sinceStep+tick
		if n := t.steps.Load(); n != steps {
			steps, sinceStep = n, 0
		}
		if sinceBegin > most && !t.unlimited.Load() && t.expired.CompareAndSwap(false, true) && t.expire != nil {
			t.expire()
		}
		if t.expire == nil && t.sleeping.Load() > 0 && sinceStep > time.Second {
			t.suite.slowBubble.Store(true)
		}
		limit := silenceLimit
		if t.suite.hung.Load() || t.hasPanicked.Load() {
			limit = shortSilence
		}
		if sinceStep > limit+time.Duration(t.sleeping.Load()) {
			t.hangs(fmt.Sprintf("no step of the case for %v", limit))
			return
		}
	}
}

// hangs abandons the attempt.
func (t *attempt) hangs(why string) {
	t.suite.hung.Store(true)
	stacks := t.goroutines()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.abandoned = true
	if t.hasPanicked.Load() {
		last := &t.failures[len(t.failures)-1]
		last.got += "\nAfterwards the backend does not answer: it may have panicked with a lock held."
		return
	}
	t.failures = append(t.failures, failure{
		what: "a call must return, or its context must end it", got: why + "; the goroutines:\n" + stacks, want: "it returns",
		line: caseLineOf(stacks), crash: cmp.Or(stacks, why),
	})
}

// panicked records a panic of the backend and prints it, because the process may end
// before the test. If the innermost call is in a case, the case got a result with which
// it cannot continue.
func (t *attempt) panicked(p any) {
	stack := trimStack(string(debug.Stack()))
	line := caseLineOf(stack)
	if inner, _, _ := strings.Cut(stack, "\n"); line != "" && strings.HasSuffix(inner, line) {
		t.fail(failure{what: "the results of the backend", got: fmt.Sprintf("panic of the case: %v", p), want: "results that the case can use", line: line})
		return
	}
	t.hasPanicked.Store(true)
	t.fail(failure{what: "the backend must not panic", got: fmt.Sprintf("panic: %v\n%s", p, stack), want: "no panic", line: line, crash: cmp.Or(stack, "panic")})
	if _, isNew := t.suite.noteCrash(t.rule, stack); isNew && t.test != nil {
		fmt.Fprintf(os.Stderr, "conformance: %s in the mode %s: panic: %v\n%s\n", t.rule, t.mode, p, stack)
	}
}

// goroutines returns the stacks of the goroutines of the attempt that are in a
// case or in the backend, at most four.
func (t *attempt) goroutines() string {
	var stacks []string
	for _, stack := range labelledGoroutines(t.label) {
		if stack = trimStack(stack); stack != "" && len(stacks) < 4 {
			stacks = append(stacks, stack)
		}
	}
	return strings.Join(stacks, "\n\n")
}

var (
	profileLine = regexp.MustCompile(`^#\t0x[0-9a-f]+\t(\S+)\+0x[0-9a-f]+\s+(\S+)$`)
	traceCall   = regexp.MustCompile(`^(\S+)\(.*\)$`)
	traceFile   = regexp.MustCompile(`^\t(\S+:\d+)( \+0x[0-9a-f]+)?$`)
	machinery   = regexp.MustCompile(`^(runtime|testing|sync|internal|panic$|reflect\.|created by)|/conformance\.\(\*(attempt|suite|handle)\)|` +
		`/conformance\.init\.func\d+$|/core/driver\.\(\*Operations\)|/core\.\(\*Cache\)|debug\.Stack|/conformance\.labelledGoroutines`)
)

// trimStack returns the calls of a stack, of a profile or a trace, without those
// of the runtime and of the suite's own machinery: one line each, at most ten.
func trimStack(stack string) string {
	var calls []string
	add := func(function, file string) {
		if file = file[strings.LastIndexByte(file, '/')+1:]; !machinery.MatchString(function) && len(calls) < 10 || strings.HasPrefix(file, "cases_") {
			calls = append(calls, "  "+function[strings.LastIndexByte(function, '/')+1:]+" "+file)
		}
	}
	function := ""
	for line := range strings.Lines(stack) {
		line = strings.TrimRight(line, "\n")
		if m := profileLine.FindStringSubmatch(line); m != nil {
			add(m[1], m[2])
		} else if m := traceCall.FindStringSubmatch(line); m != nil {
			function = m[1]
		} else if m := traceFile.FindStringSubmatch(line); m != nil && function != "" {
			add(function, m[1])
			function = ""
		}
	}
	return strings.Join(calls, "\n")
}

var caseFrame = regexp.MustCompile(`cases_\w+\.go:\d+`)

// caseLineOf returns the line of a case in a stack.
func caseLineOf(stack string) string { return caseFrame.FindString(stack) }

// isOver returns why the attempt cannot be judged any more: the time limit has passed.
func (t *attempt) isOver() (reason string, over bool) {
	if t.expired.Load() {
		return errAttemptLimit.Error(), true
	}
	if t.ctx == nil || t.ctx.Err() == nil {
		return "", false
	}
	return context.Cause(t.ctx).Error(), true
}
