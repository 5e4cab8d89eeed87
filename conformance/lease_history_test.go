package conformance

import "testing"

func TestLeaseHistories(t *testing.T) {
	lease := func(token string) call { return call{op: "lease", token: token} }
	fill := func(token string, ok bool) call { return call{op: "fill", token: token, value: "1", ok: ok} }
	get := func(v string) call { return call{op: "get", value: v, ok: v != ""} }
	set := call{op: "set", value: "9", ok: true}
	deleted, missed := call{op: "delete", ok: true}, call{op: "delete"}
	lost := func(c call) call {
		c.unknown = true
		return c
	}
	for _, c := range []struct {
		name  string
		calls []call // one after the other
		want  bool
	}{
		{"a fill", []call{lease("a"), fill("a", true), get("1")}, true},
		{"a lease that nobody grants", []call{lease("")}, false},
		{"a waiter", []call{lease("a"), lease(""), fill("a", true), {op: "lease", value: "1", ok: true}}, true},
		{"two holders", []call{lease("a"), lease("b")}, false},
		{"a lease of a present key", []call{set, lease("a")}, false},
		{"a fill after a delete", []call{lease("a"), missed, fill("a", true)}, false},
		{"a refused fill after a delete", []call{lease("a"), missed, fill("a", false), get("")}, true},
		{"a stale value after a refused fill", []call{lease("a"), missed, fill("a", false), get("1")}, false},
		{"a fill over a set", []call{lease("a"), set, fill("a", true)}, false},
		{"a fill after a clear", []call{lease("a"), {op: "clear"}, fill("a", true)}, false},
		{"a fill after a set and a delete", []call{lease("a"), set, deleted, fill("a", true)}, false},
		{"a fill without a reason to refuse", []call{lease("a"), get(""), fill("a", false)}, false},
		{"a token used twice", []call{lease("a"), fill("a", true), deleted, fill("a", true)}, false},
		{"a release", []call{lease("a"), {op: "release", token: "a"}, lease("b"), fill("a", false), fill("b", true)}, true},
		{"a release of a foreign lease", []call{lease("a"), {op: "release", token: "b"}, lease("c")}, false},
		{"a swap", []call{set, {op: "swap", old: "9", value: "8", ok: true}, get("8")}, true},
		{"a swap of another value", []call{set, {op: "swap", old: "8", value: "7", ok: true}}, false},
		{"a swap of a leased key", []call{lease("a"), {op: "swap", old: "", value: "7", ok: true}}, false},
		{"an unknown fill that happened", []call{lease("a"), lost(fill("a", false)), get("1")}, true},
		{"an unknown fill that did not happen", []call{lease("a"), lost(fill("a", false)), get(""), lease("")}, true},
		{"an unknown fill that happened late", []call{lease("a"), lost(fill("a", false)), get(""), get("1")}, true},
		{"an unknown fill after a delete", []call{lease("a"), missed, lost(fill("a", false)), get("1")}, false},
		{"an unknown fill that happened twice", []call{lease("a"), lost(fill("a", false)), get("1"), deleted, get("1")}, false},
		{"an unknown lease", []call{lost(lease("")), lease("")}, true},
	} {
		history := make([]call, len(c.calls))
		for i, one := range c.calls {
			one.began, one.ended = int64(2*i), int64(2*i+1)
			history[i] = one
		}
		if got := isLinearizable(history); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	twice := []call{
		{op: "clear", repeated: true, began: 0, ended: 9}, {op: "set", value: "1", ok: true, began: 1, ended: 2}, {op: "get", began: 3, ended: 4},
		{op: "set", value: "2", ok: true, began: 5, ended: 6}, {op: "get", began: 7, ended: 8},
	}
	if !isLinearizable(twice) {
		t.Error("a clear that removes a key twice: got false, want true")
	}
	twice[0].ended = 4
	if isLinearizable(twice) {
		t.Error("a clear that removes a key after its end: got true, want false")
	}
}
