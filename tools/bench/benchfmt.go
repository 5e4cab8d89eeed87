package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// benchmarkFormat has a line for each sample, in the words of go test -bench:
// benchstat compares two of these, where the head is the same.
func (r report) benchmarkFormat() string {
	var b strings.Builder
	for _, f := range r.Machine {
		if slices.Contains([]string{"goos", "goarch", "cpu"}, f.Name) {
			fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		}
	}
	b.WriteString("pkg: github.com/cachebackends/cachebackends/tools/bench\n")
	for _, m := range r.Results {
		for round, ns := range m.NsPerOp {
			fmt.Fprintf(&b, "Benchmark%s/%s-%d\t%d\t%g ns/op", m.Series, m.Peer, m.Procs, m.Iterations[round], ns)
			for _, unit := range slices.Sorted(maps.Keys(m.Extra)) {
				fmt.Fprintf(&b, "\t%g %s", m.Extra[unit][round], unit)
			}
			if m.Allocs != elsewhere {
				fmt.Fprintf(&b, "\t%d B/op\t%d allocs/op", m.Bytes[round], m.Allocs)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}
