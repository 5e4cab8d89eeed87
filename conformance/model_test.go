package conformance

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// The shortest form of a failure has only the steps and arguments that it needs.
func TestShrink(t *testing.T) {
	set := func(key string, size int) step {
		return step{verb: "Set", keys: []string{key}, value: sample{size: size}, ttl: 3 * day}
	}
	noise := func(n int) (steps []step) {
		for range n {
			steps = append(steps, step{verb: "Get", keys: []string{"b"}}, step{verb: "Inc", keys: []string{"c"}, delta: 7})
		}
		return steps
	}
	long := slices.Concat(noise(7), []step{set("a", 5000)}, noise(9), []step{{verb: "DeleteMany", by: 1, keys: []string{"b", "a", "c"}}},
		noise(3), []step{{verb: "GetMany", keys: []string{"c", "a"}}}, noise(4))
	runs := 0
	// A defect: a value of more than 100 bytes survives DeleteMany.
	fails := func(steps []step) []step {
		runs++
		stage := 0
		for i, s := range steps {
			hasKey := slices.Contains(s.keys, "a")
			switch {
			case stage == 0 && s.verb == "Set" && hasKey && s.value.size > 100:
				stage = 1
			case stage == 1 && s.verb == "DeleteMany" && hasKey:
				stage = 2
			case stage == 2 && strings.HasPrefix(s.verb, "Get") && hasKey:
				return steps[:i+1]
			}
		}
		return nil
	}
	shortest := shrink(fails(long), fails)
	var code []string
	for _, s := range shortest {
		code = append(code, s.code(plain))
	}
	want := []string{
		`c.Set(ctx, "a", random(0, 101), cache.Timeout(0))`,
		`c.DeleteMany(ctx, "a")`,
		`c.Get(ctx, "a")`,
	}
	if !slices.Equal(code, want) {
		t.Errorf("after %d runs: got\n%s\nwant\n%s", runs, strings.Join(code, "\n"), strings.Join(want, "\n"))
	}
	if runs > 200 {
		t.Errorf("%d runs to shrink %d steps", runs, len(long))
	}
}

func TestStepCode(t *testing.T) {
	for _, c := range []struct {
		step        step
		plain, bare string
	}{
		{step{verb: "Set", keys: []string{"a"}, value: sample{text: "v\n"}, ttl: 90 * time.Minute},
			`c.Set(ctx, "a", []byte("v\n"), cache.Timeout(5400*time.Second))`, `b.Set(ctx, "a", []byte("v\n"), 5400*time.Second)`},
		{step{verb: "Add", by: 1, keys: []string{strings.Repeat("k", 250)}, value: sample{size: 8, seed: 3}},
			`c2.Add(ctx, strings.Repeat("k", 250), random(3, 8), cache.Timeout(0))`, `b2.Add(ctx, strings.Repeat("k", 250), random(3, 8), 0)`},
		{step{verb: "SetMany", keys: []string{"a", "b"}, value: sample{text: "v"}, ttl: time.Hour},
			`c.SetMany(ctx, map[string][]byte{"a": []byte("v"), "b": []byte("v1")}, cache.Timeout(time.Hour))`,
			`b.SetMany(ctx, []driver.Item{{"a", []byte("v")}, {"b", []byte("v1")}}, time.Hour)`},
		{step{verb: "GetMany", keys: []string{"a", "a"}}, `c.GetMany(ctx, "a", "a")`, `b.GetMany(ctx, []string{"a", "a"})`},
		{step{verb: "Inc", keys: []string{"a"}, delta: -1, ttl: time.Millisecond},
			`c.Inc(ctx, "a", -1, cache.Timeout(time.Millisecond))`, `b.Inc(ctx, "a", -1, time.Millisecond)`},
		{step{verb: "ClearPrefix", keys: []string{"a-"}},
			`cache.New(c.Backend(), cache.WithPrefix(prefix+"a-")).Clear(ctx)`, `b.ClearPrefix(ctx, "a-")`},
		{step{verb: "Lease", keys: []string{"a"}, wait: time.Minute}, `lease(c, "a", 60*time.Second)`, `lease(b, "a", 60*time.Second)`},
		{step{verb: "Fill", keys: []string{"a"}, value: sample{text: "v"}, ttl: time.Hour},
			`c.Fill(ctx, "a", tokens["a"], []byte("v"), cache.Timeout(time.Hour))`, `b.Fill(ctx, "a", tokens["a"], []byte("v"), time.Hour)`},
		{step{verb: "Release", by: 1, keys: []string{"a"}}, `c2.Release(ctx, "a", tokens["a"])`, `b2.Release(ctx, "a", tokens["a"])`},
		{step{verb: "CompareAndSwap", keys: []string{"a"}, old: sample{text: "7"}, value: sample{text: "8"}},
			`c.CompareAndSwap(ctx, "a", []byte("7"), []byte("8"), cache.Timeout(0))`, `b.CompareAndSwap(ctx, "a", []byte("7"), []byte("8"), 0)`},
		{step{verb: "GetManyWithTTL", keys: []string{"a", "b"}},
			`driver.Resolve(c.Backend()).GetManyWithTTL(ctx, []string{"a", "b"})`, `b.GetManyWithTTL(ctx, []string{"a", "b"})`},
		{step{verb: "pass", wait: 61 * time.Millisecond}, `time.Sleep(61*time.Millisecond)`, `time.Sleep(61*time.Millisecond)`},
		{step{verb: "Reopen", by: 1}, `c2.Close(); c2 = reopen()`, `b2.Close(); b2 = reopen()`},
	} {
		if got := c.step.code(plain); got != c.plain {
			t.Errorf("plain: got %s, want %s", got, c.plain)
		}
		if got := c.step.code(bare); got != c.bare {
			t.Errorf("bare: got %s, want %s", got, c.bare)
		}
	}
}

// The same seed gives the same sequences.
func TestSequencesRepeat(t *testing.T) {
	sequences := func() (code []string) {
		a := &attempt{harness: Harness{Bubble: true}.withDefaults(), mode: plain, handle: &handle{written: &keySet{}},
			rand: rand.New(rand.NewPCG(1, 2)), ownStore: true}
		g := a.newGenerator(2)
		for range 50 {
			for _, s := range g.sequence() {
				code = append(code, s.code(plain))
			}
		}
		return code
	}
	one, other := sequences(), sequences()
	if !slices.Equal(one, other) {
		t.Error("two runs of a generator with one seed differ")
	}
	all := strings.Join(one, "\n")
	for _, verb := range []string{".Set(", ".SetMany(", ".Add(", ".Inc(", ".GetMany(", ".TTL(", ".Delete(", ".DeleteMany(", ".Fill(", ".Release(", ".CompareAndSwap(", "lease(", ".Clear(ctx)", "reopen()", "Sleep(", "c2."} {
		if !strings.Contains(all, verb) {
			t.Errorf("50 sequences do not contain %s", verb)
		}
	}
}
