package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/tools/bench/chart"
)

// part is a chapter of the report in all its forms.
type part struct {
	ID, Title, Text string
	Figures         []figure
	Tables          []table
	Notes           []string // below the tables
}

// figure is an image and the name of its file.
type figure struct {
	Name  string
	Image chart.Image
}

// parts returns the chapters that there are results for.
func (r report) parts() []part {
	all := cases(r.Results)
	parts := overview(all)
	for _, s := range sections {
		if columns := ofGroup(all, s.group); len(columns) > 0 {
			parts = append(parts, s.part(columns))
		}
	}
	for _, g := range growths {
		if points := ofGroup(all, g.group); len(points) > 0 {
			parts = append(parts, g.part(points))
		}
	}
	parts = append(parts, memoryParts(all)...)
	parts = append(parts, part{ID: "goals", Title: "Goals", Tables: []table{goalTable(r.Goals)}})
	if len(r.Profiles) > 0 {
		parts = append(parts, profilePart(r.Profiles))
	}
	return append(parts,
		part{ID: "lacks", Title: "What each peer does not offer", Tables: []table{lacksTable()}})
}

func ofGroup(all []*comparison, group string) []*comparison {
	return slices.DeleteFunc(slices.Clone(all), func(c *comparison) bool { return !strings.HasPrefix(c.series, group+"/") })
}

// split returns the name and the size in a title of a series.
func (c *comparison) split() (name, size string) {
	_, rest, _ := strings.Cut(c.series, "/")
	name, size, _ = strings.Cut(rest, "/")
	return name, size
}

// caption names c among others of its group.
func (c *comparison) caption(procs bool) string {
	name, size := c.split()
	if what, n, ok := strings.Cut(size, "="); ok {
		size = n + " " + what
		if n == "1" {
			size = "1 " + strings.TrimSuffix(what, "s")
		}
	}
	text := name + ", " + size
	if procs {
		text += fmt.Sprintf(", %d proc", c.procs)
		if c.procs > 1 {
			text += "s"
		}
	}
	return text
}

// kindOf tells ours from the others, and caches from what is none.
func kindOf(peer string) chart.Kind {
	switch {
	case slices.ContainsFunc([]string{"simple", "filesystem", "redis", "memcached", "uwsgi", "gcs", "cache", "view"}, func(our string) bool { return strings.HasPrefix(peer, our) }):
		return chart.Ours
	case strings.HasPrefix(peer, "raw"), strings.HasPrefix(peer, "bare"), peer == "sync.Map", peer == "map+RWMutex":
		return chart.Limit
	}
	return chart.Peer
}
