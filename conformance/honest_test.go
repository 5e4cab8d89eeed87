package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// drops is a store that keeps nothing.
func drops() driver.Backend {
	return &mutant{reference: newReference(),
		set: func(*reference, string, []byte, time.Duration) error { return nil },
		add: func(*reference, string, []byte, time.Duration) (bool, error) { return true, nil },
	}
}

// neverExpires ignores every TTL.
func neverExpires() driver.Backend {
	return &mutant{reference: newReference(), ttl: func(time.Duration) time.Duration { return 0 }}
}

func TestStoreThatKeepsNothing(t *testing.T) {
	t.Parallel()
	for name, report := range map[string]conformance.Report{
		"Check":    conformance.Check(t.Context(), drops()),
		"Verdicts": conformance.Verdicts(t, inBubble(drops), func(c conformance.Case) bool { return c.ID < "CON" }),
	} {
		if report.OK() || !slices.Contains(report.Failing(), "BAS-1") || report.Count(conformance.Fail) < 40 {
			t.Errorf("%s: %v", name, report)
		}
		for _, r := range report.Results {
			if r.ID == "BAS-5" && r.Cause != "BAS-1" {
				t.Errorf("%s: the cause of BAS-5: got %q, want BAS-1", name, r.Cause)
			}
		}
	}
}

func inBubble(open func() driver.Backend) conformance.Harness {
	return conformance.Harness{
		New:         func(*testing.T) driver.Backend { return open() },
		Bubble:      true,
		Unsupported: map[conformance.Feature]string{conformance.Threshold: "not in this test"},
	}
}

func TestHarnessIsRefused(t *testing.T) {
	for want, change := range map[string]func(h *conformance.Harness){
		"New is nil": func(h *conformance.Harness) { h.New = nil },
		`Unsupported["Counters"]: no such feature`: func(h *conformance.Harness) {
			h.Unsupported = map[conformance.Feature]string{"Counters": "why"}
		},
		"Unsupported[TTL] has no reason": func(h *conformance.Harness) {
			h.Unsupported = map[conformance.Feature]string{conformance.TTL: ""}
		},
		"Unsupported[Threshold] and Stores.Bounded contradict each other": func(h *conformance.Harness) {
			h.Unsupported[conformance.Threshold] = "why"
			h.Stores.Bounded = referenceStores.Bounded
		},
		`Traits["Slow"]: no such trait`: func(h *conformance.Harness) { h.Traits = map[conformance.Trait]string{"Slow": "why"} },
		"Traits[OneTTL] has no reason":  func(h *conformance.Harness) { h.Traits = map[conformance.Trait]string{conformance.OneTTL: ""} },
		"Traits[OneHandle] needs Stores.Reopen": func(h *conformance.Harness) {
			h.Traits = map[conformance.Trait]string{conformance.OneHandle: "why"}
		},
		`Waived["BAS-99"]: no such rule`:         func(h *conformance.Harness) { h.Waived = map[string]string{"BAS-99": "why"} },
		"Waived[BAS-1] has no reason":            func(h *conformance.Harness) { h.Waived = map[string]string{"BAS-1": ""} },
		"Limits.MaxKey is negative":              func(h *conformance.Harness) { h.Limits.MaxKey = -1 },
		"Limits.MaxKey is 20":                    func(h *conformance.Harness) { h.Limits.MaxKey = 20 },
		"Limits.MaxValue is negative":            func(h *conformance.Harness) { h.Limits.MaxValue = -1 },
		"Limits.Resolution is negative":          func(h *conformance.Harness) { h.Limits.Resolution = -1 },
		"Limits.MaxEntry and MaxValue":           func(h *conformance.Harness) { h.Limits.MaxEntry, h.Limits.MaxValue = 1, 1 },
		"Limits.CounterMin is positive":          func(h *conformance.Harness) { one := int64(1); h.Limits.CounterMin = &one },
		"Limits.KeyAlphabet lacks 'c'":           func(h *conformance.Harness) { h.Limits.KeyAlphabet = "ab" },
		"Bubble and Advance contradict":          func(h *conformance.Harness) { h.Advance = func(driver.Backend, time.Duration) {} },
		"Bubble and Faults contradict":           func(h *conformance.Harness) { h.Faults = &conformance.Faults{} },
		"Secrets contains an empty secret":       func(h *conformance.Harness) { h.Secrets = []string{""} },
		"Waived[DEC-1]: correct the declaration": func(h *conformance.Harness) { h.Waived = map[string]string{"DEC-1": "why"} },
	} {
		h := inBubble(func() driver.Backend { return newReference() })
		change(&h)
		if err := conformance.Validate(h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestMalformedSeed(t *testing.T) {
	t.Setenv("CONFORMANCE_SEED", "0x12")
	report := conformance.Check(t.Context(), newReference())
	if report.OK() || !strings.Contains(report.Reason("DEC-1"), `CONFORMANCE_SEED is "0x12"`) {
		t.Errorf("got %+v, want an error that names the variable", report.Results)
	}
}

// A waived rule that fails is Waived; one that passes is a failure.
func TestWaived(t *testing.T) {
	h := inBubble(func() driver.Backend { return &mutant{reference: newReference(), key: strings.ToLower} })
	h.Waived = map[string]string{"BAS-6": "file names are not case sensitive", "BAS-5": "untrue"}
	basic := func(c conformance.Case) bool { return c.ID == "BAS-5" || c.ID == "BAS-6" }
	report := conformance.Verdicts(t, h, basic)
	if report.Count(conformance.Waived) != 1 || report.Reason("BAS-6") != "file names are not case sensitive" {
		t.Errorf("BAS-6, which fails: %+v", report.Results)
	}
	if !slices.Equal(report.Failing(), []string{"BAS-5"}) || !strings.Contains(report.Reason("BAS-5"), "remove it from Harness.Waived") {
		t.Errorf("BAS-5, which passes: %+v", report.Results)
	}
}

// hanging never returns from Clear, and ignores its context.
type hanging struct{ *reference }

func (hanging) Clear(context.Context) error { select {} }

// lockedPanic panics in Has with its lock held.
type lockedPanic struct{ *reference }

func (l lockedPanic) Has(_ context.Context, key string) (bool, error) {
	l.mu.Lock()
	panic("the index is broken")
}

// leaving has a goroutine that outlives Close.
type leaving struct{ *reference }

func (l leaving) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	go func() { select {} }()
	return l.reference.Set(ctx, key, value, ttl)
}

// ticking has a goroutine that never rests, and outlives Close.
type ticking struct{ *reference }

func (l ticking) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	go func() {
		for range time.Tick(time.Millisecond) {
		}
	}()
	return l.reference.Set(ctx, key, value, ttl)
}

// stuckInBubble waits for a lock that nobody releases.
type stuckInBubble struct{ *reference }

func (s stuckInBubble) Delete(ctx context.Context, key string) (bool, error) {
	var mu sync.Mutex
	mu.Lock()
	mu.Lock()
	return false, nil
}

func TestWatchdog(t *testing.T) {
	if !alone(t) {
		return
	}
	conformance.ShortenSilence(t, 2*time.Second)
	for _, c := range []struct {
		name   string
		open   func() driver.Backend
		only   string
		rule   string
		reason []string
	}{
		{"a call hangs", func() driver.Backend { return hanging{newReference()} }, "CLR-1,CLR-8,BAS-2", "CLR-1",
			[]string{"a call must return", "hanging.Clear honest_test.go:", "where cases_clear.go:", "in mode plain"}},
		{"every goroutine of a bubble is blocked", func() driver.Backend { return blocked{newReference()} }, "DEL-1,BAS-2", "DEL-1",
			[]string{"every goroutine of the bubble is blocked", "blocked.Delete honest_test.go:"}},
		{"a call waits for a lock in a bubble", func() driver.Backend { return stuckInBubble{newReference()} }, "DEL-1,BAS-2", "DEL-1",
			[]string{"a call must return", "stuckInBubble.Delete honest_test.go:"}},
		{"a panic leaves a lock", func() driver.Backend { return lockedPanic{newReference()} }, "BAS-7,BAS-1", "BAS-7",
			[]string{"panic: the index is broken", "lockedPanic.Has honest_test.go:", "with a lock held"}},
		{"a goroutine outlives a bubble", func() driver.Backend { return leaving{newReference()} }, "DEL-1,BAS-1", "CON-5",
			[]string{"leaving.Set", "end them in Close"}},
		{"a ticking goroutine outlives a bubble", func() driver.Backend { return ticking{newReference()} }, "DEL-1,BAS-1", "CON-5",
			[]string{"ticking.Set", "end them in Close"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := inBubble(c.open)
			report := conformance.Verdicts(t, h, func(one conformance.Case) bool { return slices.Contains(strings.Split(c.only, ","), one.ID) })
			if !slices.Contains(report.Failing(), c.rule) {
				t.Fatalf("%s did not fail: %+v", c.rule, report.Results)
			}
			for _, want := range c.reason {
				if !strings.Contains(report.Reason(c.rule), want) {
					t.Errorf("the reason lacks %q:\n%s", want, report.Reason(c.rule))
				}
			}
			if report.Count(conformance.Pass) == 0 {
				t.Errorf("no other rule passes: %v", report)
			}
		})
	}
}

// blocked never returns from Delete.
type blocked struct{ *reference }

func (blocked) Delete(context.Context, string) (bool, error) { select {} }

// The end of a mode's time is never a broken rule.
func TestEndOfTheMode(t *testing.T) {
	conformance.ShortenAttempts(t, 50*time.Millisecond)
	h := inBubble(func() driver.Backend {
		r := newReference()
		return &mutant{reference: r, get: func(r *reference, key string) ([]byte, bool, error) {
			time.Sleep(10 * time.Millisecond)
			return r.Get(ctx, key)
		}}
	})
	report := conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "BAS-11" })
	if report.Count(conformance.Error) != 1 || !strings.Contains(report.Reason("BAS-11"), "the suite ends a mode") {
		t.Errorf("got %+v, want an error that names the limit of the suite", report.Results)
	}
}

// A batch of thousands of keys is a call that takes long, and does not hang.
func TestLongBatch(t *testing.T) {
	const silence = time.Second
	conformance.ShortenSilence(t, silence)
	h := mutant{setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
		if len(items) > 1000 {
			time.Sleep(2 * silence)
		}
		return r.SetMany(ctx, items, ttl)
	}}.harness()
	h.Bubble, h.Isolated = false, true
	h.Unsupported[conformance.Persistence], h.Unsupported[conformance.Network] = "a map", "a map"
	report := conformance.VerdictsOn(t, h, "BAT-9", func(c conformance.Case) bool { return c.ID == "BAT-9" || c.ID == "CLR-4" })
	if failing := report.Failing(); len(failing) > 0 {
		t.Errorf("failing %q: %s", failing, report.Reason(failing[0]))
	}
}

// The first run of a bad backend is short.
func TestOutputIsShort(t *testing.T) {
	t.Parallel()
	for _, harness := range []string{"drops", "never expires", "panics"} {
		t.Run(harness, func(t *testing.T) {
			t.Parallel()
			output := quietChild(t, harness)
			if lines := strings.Count(output, "\n"); lines > 200 {
				t.Errorf("%d lines:\n%s", lines, output)
			}
			for _, want := range map[string][]string{
				"drops":         {"fail: conformance_test.mutant BAS-1", "BAS-1 fails, and with it ", "ADD-1, ", " pass, "},
				"never expires": {"fail: conformance_test.mutant TTL-6", "TTL-6 fails, and with it ", "ADD-3, ", "Traits[conformance.OneTTL]"},
				"panics":        {"the index is broken"},
			}[harness] {
				if !strings.Contains(output, want) {
					t.Errorf("the output lacks %q:\n%s", want, output)
				}
			}
		})
	}
}

func TestUnwrittenReport(t *testing.T) {
	t.Setenv("CONFORMANCE_STRICT", "1")
	if output, passes := child(t, "passes", "TestChild/BAS-1_"); passes || !strings.Contains(output, "no report of TestChild was written") {
		t.Errorf("passes: %v\n%s", passes, output)
	}
}

func init() {
	for name, open := range map[string]func() driver.Backend{
		"drops": drops, "never expires": neverExpires, "panics": func() driver.Backend { return lockedPanic{newReference()} },
	} {
		h := inBubble(open)
		childHarnesses[name] = h
	}
	if os.Getenv("CONFORMANCE_CHILD") == "panics" {
		conformance.SetSilence(200 * time.Millisecond) // most rules hang, and the test is about the output
	}
}

// A backend may return ErrUnsupported from every optional method.
func TestUnsupportedMethods(t *testing.T) {
	t.Parallel()
	h := inBubble(func() driver.Backend { return refusing{newReference()} })
	for _, f := range []conformance.Feature{conformance.Counter, conformance.PrefixClear, conformance.TTL, conformance.Lease, conformance.Swap} {
		h.Unsupported[f] = "not in this test"
	}
	report := conformance.Verdicts(t, h, func(conformance.Case) bool { return true })
	if !report.OK() {
		for _, id := range report.Failing() {
			t.Errorf("%s: %s", id, report.Reason(id))
		}
	}
	if report := conformance.Check(t.Context(), refusing{newReference()}); !report.OK() {
		t.Errorf("Check: failing %q", report.Failing())
	}
}

// refusing has every optional method, none of which is supported.
type refusing struct{ driver.Backend }

var errRefused = fmt.Errorf("refused: %w", errors.ErrUnsupported)

func (refusing) Has(context.Context, string) (bool, error)            { return false, errRefused }
func (refusing) GetMany(context.Context, []string) ([][]byte, error)  { return nil, errRefused }
func (refusing) DeleteMany(context.Context, []string) ([]bool, error) { return nil, errRefused }
func (refusing) ClearPrefix(context.Context, string) error            { return errRefused }
func (refusing) Ping(context.Context) error                           { return errRefused }
func (refusing) TTL(context.Context, string) (time.Duration, bool, error) {
	return 0, false, errRefused
}
func (refusing) SetMany(context.Context, []driver.Item, time.Duration) error {
	return errRefused
}
func (refusing) Inc(context.Context, string, int64, time.Duration) (int64, error) {
	return 0, errRefused
}
