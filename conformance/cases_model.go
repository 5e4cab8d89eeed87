package conformance

import (
	"fmt"
	"strings"
	"time"
)

var modelCases = []Case{
	{ID: "MOD-1", Name: "random_sequences",
		Rule:  "every call of a random sequence returns what a map with expiry times would return",
		Why:   "Most defects need two or three operations in an order that examples do not contain.",
		flags: needsOwnStore | usesFreeTime,
		run:   randomSequences},
	{ID: "MOD-2", Name: "births_and_histories",
		Rule: "after every history, all operations agree whether an entry is present, whichever operation stored it",
		Why: "A method with its own code path, such as a batch or a counter, may ignore the expiry, the index or the copy " +
			"that the other methods use.",
		flags: needsOwnStore | needsTime,
		run:   birthsAndHistories},
}

// randomSequences compares the store with a model. In a bubble it runs a fixed number
// of sequences, elsewhere as many as fit into a second or two.
func randomSequences(t *attempt) {
	sequences, span := t.fewer(400), time.Duration(t.fewer(1000))*time.Millisecond
	if !t.harness.Bubble {
		sequences *= 10
	}
	m := t.newModel()
	g := t.newGenerator(len(m.handles))
	begin := time.Now()
	const least = 3
	for i := range sequences {
		if !t.harness.Bubble && i >= least && time.Since(begin) > span {
			return
		}
		if failed, bad := m.run(g.sequence()); bad != nil {
			m.report(failed, bad)
		}
	}
}

// report ends the case with the shortest sequence that fails.
func (m *model) report(steps []step, bad *mismatch) {
	shortest, reruns, begin := bad, 0, time.Now()
	shrunk := steps
	if !bad.panicked { // a panic may have left a lock
		shrunk = shrink(steps, func(steps []step) []step {
			if reruns++; reruns > 500 || !m.t.harness.Bubble && time.Since(begin) > 3*time.Second {
				return nil
			}
			failed, bad := m.run(steps)
			if bad != nil {
				shortest = bad
			}
			return failed
		})
	}
	last := shrunk[len(shrunk)-1]
	what := fmt.Sprintf("%s(%s), the last of these %d steps (found after %d):\n%s",
		last.verb, keyList(last.keys), len(shrunk), len(steps), m.code(shrunk))
	m.t.stop(what, text(shortest.got), text(shortest.want))
}

// code returns steps as Go.
func (m *model) code(steps []step) string {
	var b strings.Builder
	line := func(s string) { b.WriteString("          " + s + "\n") }
	hasRandom, hasSecond, hasTokens := false, false, false
	for _, s := range steps {
		hasRandom, hasSecond = hasRandom || s.value.size > 0 || s.old.size > 0, hasSecond || s.by > 0
		hasTokens = hasTokens || s.verb == "Lease" || s.verb == "Fill" || s.verb == "Release"
	}
	if hasRandom {
		line("random := func(seed byte, size int) []byte { b := make([]byte, size); rand.NewChaCha8([32]byte{seed}).Read(b); return b }")
	}
	if hasTokens {
		kind := map[bool]string{true: "*driver.Operations", false: "*cache.Cache"}[m.t.mode == bare]
		line("tokens := map[string]string{}")
		line(`lease := func(c ` + kind + `, key string, hold time.Duration) { if _, _, token, _ := c.Lease(ctx, key, hold); token != "" { tokens[key] = token } }`)
	}
	open := map[mode]string{
		plain: "cache.New(%s)", prefixed: "cache.New(%s, cache.WithPrefix(prefix))", bare: "driver.Resolve(%s)",
		fallback: "cache.New(struct{ driver.Backend }{%s})",
	}[m.t.mode]
	name := map[bool]string{true: "b", false: "c"}[m.t.mode == bare]
	line(name + " := " + fmt.Sprintf(open, "backend"))
	if hasSecond {
		line(name + "2 := " + fmt.Sprintf(open, "reopened"))
	}
	for _, s := range steps {
		line(s.code(m.t.mode))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
