package conformance_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// verdictOn returns the outcome of one rule over m, and why it did not pass.
func verdictOn(t *testing.T, m mutant, rule string) (conformance.Outcome, string) {
	t.Helper()
	report := conformance.Verdicts(t, m.harness(), func(c conformance.Case) bool { return c.ID == rule })
	for _, r := range report.Results {
		if r.ID == rule {
			return r.Outcome, r.Reason
		}
	}
	t.Fatalf("%s was not run", rule)
	return "", ""
}

// A slow store needs longer TTLs. The calls take their time in a bubble.
func TestSlowStoreAndShortTTLs(t *testing.T) {
	slow := mutant{set: func(r *reference, key string, value []byte, ttl time.Duration) error {
		time.Sleep(200 * time.Millisecond)
		return r.Set(ctx, key, value, ttl)
	}}
	for _, rule := range []string{"ADD-2", "TTL-15"} {
		if outcome, reason := verdictOn(t, slow, rule); outcome != conformance.Pass {
			t.Errorf("%s: %s: %s", rule, outcome, reason)
		}
	}
}

// After a stall, the clock of a server is late for a moment: one reading of a TTL may be too
// long, but not the next one.
func TestLateClockOfAServer(t *testing.T) {
	for late, want := range map[int64]conformance.Outcome{2: conformance.Pass, 1: conformance.Fail} {
		var readings atomic.Int64
		m := mutant{left: func(r *reference, key string) (time.Duration, bool, error) {
			ttl, ok, err := r.TTL(ctx, key)
			if ttl != 0 && readings.Add(1)%late == 0 {
				ttl += 3 * time.Second
			}
			return ttl, ok, err
		}}
		if outcome, reason := verdictOn(t, m, "ADD-1"); outcome != want {
			t.Errorf("one of %d readings is too long: %s: %s", late, outcome, reason)
		}
	}
}

// A store that evicts nothing of what is watched does not show that evictions are reported.
func TestNothingWatchedIsEvicted(t *testing.T) {
	h := mutant{}.harness()
	h.Unsupported = nil
	h.Stores.Bounded = func(*testing.T, int) driver.Backend { return newReference() }
	report := conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "WAT-10" })
	i := slices.IndexFunc(report.Results, func(r conformance.Result) bool { return r.ID == "WAT-10" })
	if r := report.Results[i]; r.Outcome != conformance.Unsupported {
		t.Errorf("%s: %s", r.Outcome, r.Reason)
	}
}
