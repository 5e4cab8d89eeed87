package conformance

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// suite is one run of the cases over one backend, in a test or in Check. A run
// probes the features, then judges each case: it launches an attempt for each mode
// (watch.go), combines what they found (verdict.go), and records the result.
type suite struct {
	harness      Harness
	absent       map[Feature]string // the features that the backend lacks, with the reason
	undeclared   []Feature          // absent and not declared
	overdeclared []Feature          // declared unsupported, but working
	janitor      *cache.Cache       // removes the entries of cases from a shared store; nil if the stores are isolated
	runID        string             // random, part of every key and prefix
	short        bool
	keepOpen     bool        // the backend belongs to the caller of Check
	hung         atomic.Bool // an attempt was abandoned
	slowBubble   atomic.Bool // a pause in a bubble took a second: the store has a ticker, which runs all the time
	impatient    atomic.Bool // a call returned long after the end of its context, or not at all

	mu      sync.Mutex
	report  Report
	rulings map[string]*ruling // of the causes that run, by ID
	crashes map[string]string  // by the innermost call of the backend, the rule that met it first
	leak    string             // the goroutines that outlived a bubble, with the case
}

func newSuite(h Harness) (*suite, error) {
	if err := h.validate(); err != nil {
		return nil, err
	}
	seed, err := seedFromEnv()
	if err != nil {
		return nil, err
	}
	h = h.withDefaults()
	return &suite{
		harness: h,
		runID:   strings.ToLower(crand.Text()[:8]),
		rulings: map[string]*ruling{},
		crashes: map[string]string{},
		report: Report{
			Suite: Version, Backend: h.Name, Server: h.Server, ServerVersion: h.ServerVersion,
			Seed: seed, Started: time.Now().UTC(), Slow: h.Slow, Limits: h.Limits.printable(), Traits: h.Traits,
		},
	}, nil
}

// concerns reports whether c applies to this kind of backend at all.
func (s *suite) concerns(c Case) bool {
	_, storesNothing := s.harness.Unsupported[Storage]
	return storesNothing || !c.has(nullOnly)
}

// judge runs c in modes and records the result. wait is called when all attempts
// run, if they wait in real time; it may be nil.
func (s *suite) judge(ctx context.Context, test *testing.T, c Case, modes []mode, wait func()) verdict {
	begin := time.Now()
	decided := make(chan verdict, 1)
	decide := s.decider(c)
	if v, excluded := s.excluded(c); excluded {
		decided <- decide(v)
	} else if s.waits(c) {
		var all sync.WaitGroup
		attempts := make([]*attempt, len(modes))
		for i, m := range modes {
			t := s.launch(ctx, test, c, m)
			attempts[i] = t
			all.Go(func() { t.await(t.ended) })
		}
		go func() {
			all.Wait()
			decided <- decide(combine(attempts))
		}()
		if wait != nil {
			wait()
		}
	} else {
		decided <- decide(combine(s.attempts(ctx, test, c, modes)))
	}
	v := <-decided
	s.record(c, v, time.Since(begin))
	return v
}

// attempts runs c in one mode after the other, until the harness ends the test or
// a mode hangs.
func (s *suite) attempts(ctx context.Context, test *testing.T, c Case, modes []mode) []*attempt {
	if c.has(measuresMemory) { // before the watchdog of an attempt begins
		memory.Lock()
		defer memory.Unlock()
	}
	var attempts []*attempt
	for _, m := range modes {
		t := s.launch(ctx, test, c, m)
		t.await(t.ended)
		attempts = append(attempts, t)
		if !t.isFinished() {
			break
		}
	}
	return attempts
}

// decider returns the function that completes the verdict on c. Rules that depend
// on c wait for it.
func (s *suite) decider(c Case) func(verdict) verdict {
	if !isCause(c) {
		return func(v verdict) verdict { return s.complete(c, v) }
	}
	own := &ruling{done: make(chan struct{})}
	s.mu.Lock()
	s.rulings[c.ID] = own
	s.mu.Unlock()
	return func(v verdict) verdict {
		defer close(own.done)
		v = s.complete(c, v)
		own.failed = v.outcome == Fail
		return v
	}
}

func (s *suite) complete(c Case, v verdict) verdict {
	v = s.declared(c, v)
	switch {
	case v.outcome != Fail:
	case v.crash == "":
		v.cause = s.causeOf(c)
	default:
		if first, _ := s.noteCrash(c.ID, v.crash); first != c.ID {
			v.cause = first
		}
	}
	return v
}

// record adds the result of a case to the report.
func (s *suite) record(c Case, v verdict, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Results = append(s.report.Results, Result{
		ID: c.ID, Name: c.Name, Rule: c.Rule, Outcome: v.outcome, Reason: v.reason, Cause: v.cause,
		Provisional: c.Provisional, Duration: took,
	})
}

// sortResults puts the results in the order of the contract: cases that wait in
// real time finish late.
func (s *suite) sortResults() {
	rank := map[string]int{}
	for i, c := range Cases() {
		rank[c.ID] = i
	}
	slices.SortFunc(s.report.Results, func(a, b Result) int { return rank[a.ID] - rank[b.ID] })
}

// noteCrash returns the rule in which the innermost call of the backend in stack
// crashed first, and whether this is the first time.
func (s *suite) noteCrash(rule, stack string) (first string, isNew bool) {
	site, _, _ := strings.Cut(stack, "\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, known := s.crashes[site]; known {
		return first, false
	}
	s.crashes[site] = rule
	return rule, true
}

// noteLeak records that goroutines of the backend outlived the bubble of c.
func (s *suite) noteLeak(c Case, stacks string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leak == "" {
		s.leak = fmt.Sprintf("goroutines after Close in the bubble of %s:\n%s", c.ID, stacks)
	}
}
