package main

import (
	"fmt"
	"strings"
	"testing"
)

// curveOf is a peer whose calls take so long at 1, 10, 100 … keys or callers.
func curveOf(group, name, peer string, ns ...float64) []*result {
	var all []*result
	size := 1
	for _, time := range ns {
		all = append(all, &result{Series: fmt.Sprintf("%s/%s/%d", group, name, size), Procs: 2, Peer: peer, NsPerOp: []float64{time}, Iterations: []int{1}, Bytes: []int64{0}})
		size *= 10
	}
	return all
}

func TestCliffs(t *testing.T) {
	for _, test := range []struct {
		name    string
		results []*result
		want    string // of the notes
		met     bool
	}{
		{"none", curveOf("Callers", "Redis-get", "redis", 10, 19, 30), "No cliff", true},
		{"ours alone", append(curveOf("Callers", "Redis-get", "redis", 10, 21), curveOf("Callers", "Redis-get", "go-redis", 10, 12)...), "to 10 the cost by call grows to 2.1×: **not explained**", false},
		{"everybody's", append(curveOf("Callers", "Redis-get", "redis", 10, 21), curveOf("Callers", "Redis-get", "go-redis", 10, 20)...), "so does that of go-redis (2×)", true},
		{"another's", append(curveOf("Callers", "Redis-get", "redis", 10, 11), curveOf("Callers", "Redis-get", "go-redis", 10, 90)...), "No cliff", true},
		{"batches count by key", curveOf("Batch", "Redis-get", "redis", 10, 90, 800), "No cliff", true},
		{"a batch that is a loop and worse", curveOf("Batch", "Redis-get", "redis", 10, 210), "by key grows to 2.1×", false},
		{"of the file system", append(curveOf("Directory", "filesystem", "clear", 10, 50), curveOf("Directory", "raw", "clear", 5, 24)...), "so does that of raw's clear (4.8×)", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var notes string
			for _, p := range (report{Results: test.results}).parts() {
				notes += strings.Join(p.Notes, "\n")
			}
			if !strings.Contains(notes, test.want) {
				t.Errorf("got %q, want %q", notes, test.want)
			}
			goals := checkGoals(test.results)
			if len(goals) != 1 || goals[0].Met != test.met {
				t.Errorf("%v, want met %v", goals, test.met)
			}
		})
	}
}
