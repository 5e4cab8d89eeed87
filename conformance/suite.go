package conformance

import (
	crand "crypto/rand"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// suite is one run of the cases over one backend, in a test or in Check. A run
// has four phases: probe, prepare and perform for each mode of each case
// (attempt.go), and the verdict.
type suite struct {
	harness      Harness
	absent       map[Feature]string // the features that the backend lacks, with the reason
	undeclared   []Feature          // absent and not declared
	overdeclared []Feature          // declared unsupported, but working
	janitor      *cache.Cache       // removes what cases leave in a shared store; nil if the stores are isolated
	runID        string             // random, part of every key and prefix
	short        bool
	keepOpen     bool // the backend belongs to the caller of Check

	mu     sync.Mutex
	report Report
}

func newSuite(h Harness) *suite {
	seed, err := strconv.ParseUint(os.Getenv("CONFORMANCE_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	h = h.withDefaults()
	return &suite{
		harness: h,
		runID:   strings.ToLower(crand.Text()[:8]),
		report: Report{
			Suite: Version, Backend: h.Name, Server: h.Server, ServerVersion: h.ServerVersion,
			Seed: seed, Started: time.Now().UTC(), Limits: h.Limits.printable(), Traits: h.Traits,
		},
	}
}

// concerns reports whether c applies to this kind of backend at all.
func (s *suite) concerns(c Case) bool {
	_, storesNothing := s.harness.Unsupported[Storage]
	return storesNothing || !c.has(nullOnly)
}

// record adds the result of a case to the report.
func (s *suite) record(c Case, outcome Outcome, reason string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Results = append(s.report.Results, Result{
		ID: c.ID, Name: c.Name, Rule: c.Rule, Outcome: outcome, Reason: reason,
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
