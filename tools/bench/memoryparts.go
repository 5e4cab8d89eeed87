package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/tools/bench/chart"
)

// memoryParts are what operations leave behind for the collector, and what the
// heap is at most while very many entries are cleared.
func memoryParts(all []*comparison) []part {
	var parts []part
	if t := garbageTable(all); len(t) > 1 {
		parts = append(parts, part{ID: "garbage", Title: "Garbage of an operation", Tables: []table{t},
			Text: "Allocations, and bytes of them, by one caller, in the whole process, and those of the fastest of the others. Values of 100 bytes, batches of 100."})
	}
	if t := peakTable(all); len(t) > 1 {
		parts = append(parts, part{ID: "peak", Title: "The heap while clearing, and the longest write", Tables: []table{t},
			Text: "The most that the heap was above what it was before, garbage included; and the longest single call where a full directory evicts an eighth of its entries."})
	}
	return parts
}

// garbageTable has a row for each operation of ours.
func garbageTable(all []*comparison) table {
	t := table{{"operation", "allocations", "bytes", "of", "allocations", "bytes"}}
	seen := map[string]bool{}
	for _, c := range all {
		group, _, _ := strings.Cut(c.series, "/")
		if !slices.Contains([]string{"View", "File", "Redis", "Memcached", "Uwsgi", "Gcs"}, group) || seen[c.series] {
			continue
		}
		_, size := c.split()
		if what, n, ok := strings.Cut(size, "="); ok && what == "callers" && n != "1" || group == "File" && size != "100B" {
			continue
		}
		seen[c.series] = true
		other := c.least((*result).ns, func(peer string) bool { return kindOf(peer) != chart.Ours })
		for _, r := range c.inTurn {
			if kindOf(r.Peer) != chart.Ours {
				continue
			}
			row := []string{c.series + ", " + r.Peer, fmt.Sprint(r.Allocs), fmt.Sprint(r.garbage()), "-", "-", "-"}
			if other != nil {
				row[3], row[4], row[5] = other.Peer, fmt.Sprint(other.Allocs), fmt.Sprint(other.garbage())
			}
			t = append(t, row)
		}
	}
	return t
}

func peakTable(all []*comparison) table {
	t := table{{"series", "heap above", "by entry", "time of an entry", "longest call"}}
	for _, c := range all {
		_, size := c.split()
		for _, r := range c.inTurn {
			if r.Extra[peakUnit] == nil && r.Extra[longestUnit] == nil {
				continue
			}
			row := []string{c.series + ", " + r.Peer, "-", "-", duration(r.extra(itemUnit)), longestText(r)}
			if r.Extra[peakUnit] != nil {
				var entries float64
				fmt.Sscan(size, &entries)
				row[1], row[2] = byteCount(r.extra(peakUnit)), byteCount(r.extra(peakUnit)/entries)
			}
			t = append(t, row)
		}
	}
	return t
}
