package main

import (
	"strings"
	"testing"
)

// Ours are profiled, where a goal of the series is missed, and nothing else.
func TestProfileMissed(t *testing.T) {
	lanes := func(names ...string) (lanes []lane) {
		for _, name := range names {
			lanes = append(lanes, lane{name, func() (func(*testing.B), func(), error) { return spend, func() {}, nil }})
		}
		return lanes
	}
	all := []series{
		{group: "Hit", name: "shared", size: "500", lanes: lanes("simple", "otter")},
		{group: "Hit", name: "shared", size: "1M", lanes: lanes("simple")},
	}
	goals := []goal{{Series: "Hit/shared/500", Met: true}, {Series: "Hit/shared/500"}, {Series: "Hit/shared/1M", Met: true}}
	profiles, err := profileMissed(all, goals)
	if err != nil || len(profiles) != 1 {
		t.Fatalf("%+v, %v; want one profile", profiles, err)
	}
	p := profiles[0]
	if p.Series != "Hit/shared/500" || p.Peer != "simple" || p.Functions[0].Name != "bench.turn" || p.Functions[0].Percent < 50 {
		t.Errorf("%+v; want simple in bench.turn", p)
	}
	page := report{Goals: goals, Profiles: profiles}.markdown(report{Goals: goals, Profiles: profiles}.parts())
	for _, want := range []string{"| Hit/shared/500 | simple | bench.turn ", "- Hit: " + reasons["Hit"]} {
		if !strings.Contains(page, want) {
			t.Errorf("the report has not %q", want)
		}
	}
}

func spend(b *testing.B) {
	x := uint32(1)
	for b.Loop() {
		x = turn(x)
	}
	if x == 0 {
		b.Error("xorshift does not come to 0")
	}
}

//go:noinline
func turn(x uint32) uint32 {
	for range 1000 {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	return x
}
