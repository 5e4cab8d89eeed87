package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// foreignKeys are keys of another program in a shared store.
var foreignKeys = []string{"a", "conformance", "k", "user:1"}

// shared returns a harness of one store for all cases, which holds foreignKeys.
func shared(t *testing.T) (*reference, conformance.Harness) {
	r := newReference()
	for _, key := range foreignKeys {
		if err := r.Set(t.Context(), key, []byte("foreign"), 0); err != nil {
			t.Fatal(err)
		}
	}
	return r, conformance.Harness{
		New:    func(*testing.T) driver.Backend { return r.reopen() },
		Stores: conformance.Stores{Reopen: func(*testing.T, driver.Backend) driver.Backend { return r.reopen() }},
		Unsupported: map[conformance.Feature]string{
			conformance.Network: "a map", conformance.Threshold: "a map",
		},
	}
}

// unchanged checks that the store holds foreignKeys and nothing else.
func unchanged(t *testing.T, r *reference) {
	t.Helper()
	if got := r.names(); !slices.Equal(got, foreignKeys) {
		t.Errorf("keys in the store afterwards: got %q, want %q", got, foreignKeys)
	}
	if left := r.leasedKeys(); len(left) > 0 {
		t.Errorf("leases in the store afterwards: got %q, want none", left)
	}
	foreignKept(t, r)
}

// foreignKept checks that nobody has changed the values of foreignKeys.
func foreignKept(t *testing.T, r *reference) {
	t.Helper()
	for _, key := range foreignKeys {
		if value, _, _ := r.Get(t.Context(), key); string(value) != "foreign" {
			t.Errorf("%s afterwards: got %q, want %q", key, value, "foreign")
		}
	}
}

func TestSharedStoreIsUnchanged(t *testing.T) {
	t.Parallel()
	r, h := shared(t)
	t.Run("Run", func(t *testing.T) { conformance.Run(t, h) })
	unchanged(t, r)
}

// Clear without a prefix is called only on the store that the harness allows it for.
func TestClearAllowed(t *testing.T) {
	t.Parallel()
	r, h := shared(t)
	spare := newReference()
	h.Stores.ClearAllowed = func(*testing.T) driver.Backend { return spare.reopen() }
	clears := func(c conformance.Case) bool {
		return slices.Contains([]string{"CLR-1", "CLR-5", "CLR-8", "CLO-2"}, c.ID)
	}
	if report := conformance.Verdicts(t, h, clears); !report.OK() || report.Count(conformance.Pass) != 4 {
		t.Errorf("a good backend: %v, failing: %q", report, report.Failing())
	}
	foreignKept(t, r)

	h.Stores.ClearAllowed = func(*testing.T) driver.Backend {
		return &mutant{reference: spare.reopen(), clear: func(*reference) error { return nil }}
	}
	if failing := conformance.Verdicts(t, h, clears).Failing(); !slices.Equal(failing, []string{"CLR-1", "CLR-5"}) {
		t.Errorf("a Clear that clears nothing: failing %q", failing)
	}
	foreignKept(t, r)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	r, _ := shared(t)
	report := conformance.Check(t.Context(), r)
	if !report.OK() || report.Count(conformance.Pass) < 60 {
		t.Errorf("a good backend: %v, failing: %q", report, report.Failing())
	}
	unchanged(t, r)
	if err := r.Ping(t.Context()); err != nil {
		t.Errorf("the backend afterwards: %v", err)
	}

	bad := &mutant{reference: newReference(), key: strings.ToLower}
	if failing := conformance.Check(t.Context(), bad).Failing(); !slices.Contains(failing, "BAS-6") {
		t.Errorf("a backend that folds keys: failing %q, want BAS-6 among them", failing)
	}
}

func TestCheckOfTheSixMethods(t *testing.T) {
	t.Parallel()
	report := conformance.Check(t.Context(), NewMyCustomCache())
	if !report.OK() || report.Count(conformance.Unsupported) == 0 {
		t.Errorf("%v, failing: %q", report, report.Failing())
	}
}

// unreachable is a backend whose server cannot be reached.
type unreachable struct{ *reference }

func (unreachable) Set(context.Context, string, []byte, time.Duration) error {
	return fmt.Errorf("dial: %w", driver.ErrUnavailable)
}

func TestUnreachableIsAnError(t *testing.T) {
	report := conformance.Check(t.Context(), unreachable{newReference()})
	if report.OK() || report.Count(conformance.Error) != len(report.Results) {
		t.Errorf("got %v, want nothing but errors", report)
	}
}

func TestCases(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range conformance.Cases() {
		if seen[c.ID] {
			t.Errorf("two rules have the ID %s", c.ID)
		}
		seen[c.ID] = true
		if c.Name == "" || c.Rule == "" || c.Why == "" || c.Since == "" || strings.ContainsAny(c.Name, " /") {
			t.Errorf("%s is incomplete: %+q", c.ID, []string{c.Name, c.Rule, c.Why, c.Since})
		}
		// A rule is the end of "fail: redis BAS-1". A reason is a sentence of its own.
		if strings.HasSuffix(c.Rule, ".") || !strings.HasSuffix(c.Why, ".") || len(c.Why) < 40 {
			t.Errorf("%s: the rule must be a clause and the reason a sentence: %q, %q", c.ID, c.Rule, c.Why)
		}
	}
}

// childHarnesses are for TestChild, which runs and may fail in a process of its own.
var childHarnesses = map[string]conformance.Harness{
	"fails": {
		New: func(*testing.T) driver.Backend { return &mutant{reference: newReference(), key: strings.ToLower} },
	},
	"lacks": {
		New: func(*testing.T) driver.Backend { return NewMyCustomCache() },
	},
	"fails to set": {
		New: func(*testing.T) driver.Backend {
			return &mutant{reference: newReference(), set: func(*reference, string, []byte, time.Duration) error {
				return errors.New("the disk is full")
			}}
		},
		Unsupported: map[conformance.Feature]string{conformance.Threshold: "a map"},
	},
	"overdeclares": {
		New:         func(*testing.T) driver.Backend { return newReference() },
		Unsupported: map[conformance.Feature]string{conformance.Counter: "not written yet"},
	},
	"skips": {
		New: func(t *testing.T) driver.Backend {
			if strings.Contains(t.Name(), "BAS-1_") {
				t.Skip("no server")
			}
			return newReference()
		},
	},
	"ends": {
		New: func(t *testing.T) driver.Backend {
			if strings.Contains(t.Name(), "BAS-1_") {
				t.Fatal("no server")
			}
			return newReference()
		},
	},
	"passes": {
		New:           func(*testing.T) driver.Backend { return newReference() },
		Stores:        conformance.Stores{Bounded: referenceStores.Bounded},
		Unsupported:   map[conformance.Feature]string{conformance.Network: "a map"},
		Name:          "reference",
		Server:        "map",
		ServerVersion: "1",
	},
}

func TestChild(t *testing.T) {
	h, is := childHarnesses[os.Getenv("CONFORMANCE_CHILD")]
	if !is {
		t.Skip("only for TestOutput")
	}
	h.Bubble = true
	conformance.Run(t, h)
}

func TestOutput(t *testing.T) {
	t.Setenv("CONFORMANCE_STRICT", "") // with 1, a report of a part of the cases is a failure
	for _, c := range []struct {
		harness string
		run     string
		passes  bool
		want    []string
	}{
		{"fails", "TestChild/BAS-6", false, []string{
			"fail: conformance_test.mutant BAS-6",
			"rule  keys are case sensitive",
			"why   On a case-insensitive file system two keys share one entry",
			`what  after Set of Key: Get("key")`,
			`got   "upper"`,
			"want  a miss",
			"where cases_basic.go:", " in mode plain; also in prefix, fallback, bare",
			"run   CONFORMANCE_SEED=42 go test -run '^TestChild$/^BAS-6_keys_are_case_sensitive$'",
		}},
		{"lacks", "TestChild/(DEC-1|CNT-1)", false, []string{
			"what  features that are not declared",
			`conformance.Counter: "why not",`,
			`conformance.PrefixClear: "why not",`,
			"--- SKIP: TestChild/CNT-1",
			"the backend lacks it, and the harness does not declare it (DEC-1)",
		}},
		{"fails to set", "TestChild/(DEC-1|BAS-1_)", false, []string{
			"--- PASS: TestChild/DEC-1_declarations",
			"the disk is full",
		}},
		{"overdeclares", "TestChild/DEC-1", false, []string{
			`what  Unsupported[conformance.Counter] ("not written yet")`,
			"got   the feature works",
			`conformance.Threshold: "why not",`,
		}},
		{"skips", "TestChild/BAS-[12]_", false, []string{
			"--- FAIL: TestChild/BAS-1_set_then_get",
			"Harness.New skipped the test",
			"--- PASS: TestChild/BAS-2_absent_is_a_miss",
		}},
		{"ends", "TestChild/BAS-[12]_", false, []string{
			"--- FAIL: TestChild/BAS-1_set_then_get",
			"--- PASS: TestChild/BAS-2_absent_is_a_miss",
		}},
		{"passes", "TestChild/BAS-1_", true, []string{"conformance: no report of TestChild was written: only 1 of "}},
	} {
		t.Run(c.harness, func(t *testing.T) {
			t.Parallel()
			output, passes := child(t, c.harness, c.run)
			if passes != c.passes {
				t.Errorf("passes: got %v, want %v", passes, c.passes)
			}
			for _, want := range c.want {
				if !strings.Contains(output, want) {
					t.Errorf("the output lacks %q:\n%s", want, output)
				}
			}
		})
	}
}

// child runs TestChild in a process of its own; the report goes to dir, if given.
func child(t *testing.T, harness, run string) (output string, passes bool) {
	t.Helper()
	return childInto(t, t.TempDir(), harness, run)
}

func childInto(t *testing.T, dir, harness, run string) (output string, passes bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run="+run, "-test.v", "-test.short")
	cmd.Env = append(os.Environ(), "CONFORMANCE_CHILD="+harness, "CONFORMANCE_SEED=42", "CONFORMANCE_REPORT="+dir)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// quietChild runs all of TestChild in a process of its own, without -v.
func quietChild(t *testing.T, harness string) (output string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.short")
	cmd.Env = append(os.Environ(), "CONFORMANCE_CHILD="+harness, "CONFORMANCE_SEED=42")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the test passes")
	}
	return string(out)
}

func TestLimitsAreReported(t *testing.T) {
	lowest := int64(0)
	h := conformance.Harness{
		New: func(*testing.T) driver.Backend { return newReference() },
		Limits: conformance.Limits{
			MaxKey: 250, MaxValue: 1000, Resolution: time.Second, CounterMin: &lowest,
			RefusedKeys: []string{"a\n", strings.Repeat("x", 1025)},
		},
		Unsupported: map[conformance.Feature]string{
			conformance.Network: "a map", conformance.Threshold: "a map", conformance.Persistence: "a map",
		},
	}
	report := conformance.Verdicts(t, h, func(conformance.Case) bool { return false })
	got, err := json.Marshal(report.Limits)
	want := `{"max_key":250,"max_value":1000,"resolution_ns":1000000000,"counter_min":0,` +
		`"refused_keys":["\"a\\n\"","\"` + strings.Repeat("x", 40) + `\"... (1025 bytes)"]}`
	if string(got) != want || err != nil {
		t.Errorf("limits: got %s, %v, want %s", got, err, want)
	}
	clear := conformance.Support{
		Feature: conformance.FullClear, Outcome: conformance.Skipped, Reason: "other programs may use the store (Harness.Isolated, Stores.ClearAllowed)",
	}
	if !slices.Contains(report.Features, clear) {
		t.Errorf("features: %+v, want %+v among them", report.Features, clear)
	}
}

// The failure of a new rule does not break a build.
func TestProvisionalFailureIsOK(t *testing.T) {
	for provisional, ok := range map[bool]bool{true: true, false: false} {
		r := conformance.Report{Results: []conformance.Result{{ID: "X-1", Outcome: conformance.Fail, Provisional: provisional}}}
		if r.OK() != ok {
			t.Errorf("OK with a failure, provisional=%v: got %v", provisional, r.OK())
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "reports")
	if output, passes := childInto(t, dir, "passes", "TestChild"); !passes {
		t.Fatal(output)
	}
	data, err := os.ReadFile(filepath.Join(dir, "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report conformance.Report
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	if report.Suite != conformance.Version || report.Server != "map" || report.ServerVersion != "1" || report.Seed != 42 || !report.OK() {
		t.Errorf("got %v, server %q %q", report, report.Server, report.ServerVersion)
	}
	inProcess := "the store is in the process (Harness.Bubble)"
	for _, want := range []conformance.Support{
		{Feature: conformance.Counter, Outcome: conformance.Pass},
		{Feature: conformance.FullClear, Outcome: conformance.Pass},
		{Feature: conformance.Persistence, Outcome: conformance.Unsupported, Reason: inProcess},
		{Feature: conformance.Network, Outcome: conformance.Unsupported, Reason: "a map"}, // the reason of the author comes first
	} {
		if !slices.Contains(report.Features, want) {
			t.Errorf("features: %+v, want %+v among them", report.Features, want)
		}
	}
	if report.Limits.Resolution != time.Millisecond {
		t.Errorf("limits: %+v, want a resolution of 1ms", report.Limits)
	}
	var ids []string
	for _, c := range conformance.Cases() {
		if !strings.HasPrefix(c.ID, "NUL-") {
			ids = append(ids, c.ID)
		}
	}
	for i, r := range report.Results {
		if r.ID != ids[i] || r.Rule == "" || r.Outcome == conformance.Unsupported && r.Reason == "" {
			t.Errorf("result %d: %+v, want %s", i, r, ids[i])
		}
	}
}

// counted counts the calls of the methods that every backend has.
type counted struct {
	*reference
	calls *atomic.Int64
}

func (c counted) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.calls.Add(1)
	return c.reference.Get(ctx, key)
}

func (c counted) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	c.calls.Add(1)
	return c.reference.Set(ctx, key, value, ttl)
}

// countedStores opens the further stores of a counted reference.
var countedStores = conformance.Stores{
	Reopen: func(_ *testing.T, first driver.Backend) driver.Backend {
		of := first.(counted)
		return counted{of.reference.reopen(), of.calls}
	},
	Bounded: referenceStores.Bounded,
	Damage: func(t *testing.T, b driver.Backend, key string) {
		referenceStores.Damage(t, b.(counted).reference, key)
	},
}

// For a slow store every rule has the same outcome, after fewer calls.
func TestSlow(t *testing.T) {
	// The scheduler or the time decides how often these call the store.
	vary := map[string]bool{"CLO-3": true, "CON-3": true, "CON-6": true, "CTX-4": true, "LSE-8": true, "MOD-1": true, "SWP-4": true}
	run := func(slow bool) (conformance.Report, int64) {
		var calls atomic.Int64
		r := conformance.Verdicts(t, conformance.Harness{
			New:    func(*testing.T) driver.Backend { return counted{newReference(), &calls} },
			Stores: countedStores,
			Bubble: true,
			Slow:   slow,
		}, func(c conformance.Case) bool { return !vary[c.ID] })
		return r, calls.Load()
	}
	whole, most := run(false)
	slow, fewer := run(true)
	for i, r := range whole.Results {
		if other := slow.Results[i]; other.ID != r.ID || other.Outcome != r.Outcome {
			t.Errorf("%s: %s, and %s for a slow store", r.ID, r.Outcome, other.Outcome)
		}
	}
	if fewer > most*6/10 || whole.Slow || !slow.Slow {
		t.Errorf("%d calls, %d for a slow store; reported as slow: %v, %v", most, fewer, whole.Slow, slow.Slow)
	}
}
