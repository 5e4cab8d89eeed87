package conformance

import "testing"

func TestIsLinearizable(t *testing.T) {
	at := func(began, ended int64, c call) call {
		c.began, c.ended = began, ended
		return c
	}
	set := func(v string) call { return call{op: "set", value: v, ok: true} }
	get := func(v string) call { return call{op: "get", value: v, ok: true} }
	miss := call{op: "get"}
	for _, c := range []struct {
		name    string
		history []call
		want    bool
	}{
		{"nothing", nil, true},
		{"a miss, a set, a hit", []call{at(1, 2, miss), at(3, 4, set("a")), at(5, 6, get("a"))}, true},
		{"a hit before the set", []call{at(1, 2, get("a")), at(3, 4, set("a"))}, false},
		{"a hit while the set runs", []call{at(1, 4, set("a")), at(2, 3, get("a"))}, true},
		{"a miss after a hit while the set runs", []call{at(1, 6, set("a")), at(2, 3, get("a")), at(4, 5, miss)}, false},
		{"a hit after a miss while the set runs", []call{at(1, 6, set("a")), at(2, 3, miss), at(4, 5, get("a"))}, true},
		{"an old value after the new one", []call{at(1, 2, set("a")), at(3, 4, set("b")), at(5, 6, get("a"))}, false},
		{"two sets at once, either order", []call{at(1, 4, set("a")), at(2, 3, set("b")), at(5, 6, get("a"))}, true},
		{"two adds at once that both win", []call{at(1, 4, call{op: "add", value: "a", ok: true}), at(2, 3, call{op: "add", value: "b", ok: true})}, false},
		{"two adds at once, one wins", []call{at(1, 4, call{op: "add", value: "a"}), at(2, 3, call{op: "add", value: "b", ok: true})}, true},
		{"two deletes of one set", []call{at(1, 2, set("a")), at(3, 6, call{op: "delete", ok: true}), at(4, 5, call{op: "delete", ok: true})}, false},
		{"two incs at once", []call{at(1, 4, call{op: "inc", delta: 1, sum: 2, ok: true}), at(2, 3, call{op: "inc", delta: 1, sum: 1, ok: true})}, true},
		{"a lost inc", []call{at(1, 4, call{op: "inc", delta: 1, sum: 1, ok: true}), at(2, 3, call{op: "inc", delta: 1, sum: 1, ok: true})}, false},
		{"inc of a number", []call{at(1, 2, set("41")), at(3, 4, call{op: "inc", delta: 1, sum: 42, ok: true}), at(5, 6, get("42"))}, true},
		{"inc of a text", []call{at(1, 2, set("a")), at(3, 4, call{op: "inc", delta: 1, sum: 1, ok: true})}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := isLinearizable(c.history); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
