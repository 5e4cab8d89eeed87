package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/tools/bench/chart"
)

// headline is one bar of the overview: our speed in terms of the fastest of the
// others, the raw client or system call included.
type headline struct{ panel, label, series, our string }

var headlines = []headline{
	{"simple", "hit, 500", "Hit/shared/500", "simple"},
	{"simple", "hit, 1M", "Hit/shared/1M", "simple"},
	{"simple", "10 % writes, 500", "Mix/90-10/500", "simple"},
	{"simple", "10 % writes, 1M", "Mix/90-10/1M", "simple"},
	{"simple", "50 % writes, 500", "Mix/50-50/500", "simple"},
	{"simple", "copy of 1 KB", "Copy/1KB/500", "simple-copy"},
	{"filesystem", "read 4 KiB", "File/get-*/4KiB", "filesystem"},
	{"filesystem", "replace 4 KiB", "File/replace-*/4KiB", "filesystem"},
	{"filesystem", "create 4 KiB", "File/create-*/4KiB", "filesystem"},
	{"redis", "get", "Redis/get/callers=1", "redis+Cache"},
	{"redis", "get, 64 callers", "Redis/get/callers=64", "redis+Cache"},
	{"redis", "set, 64 callers", "Redis/set/callers=64", "redis+Cache"},
	{"redis", "100 gets in one", "Redis/getmany/keys=100", "redis+Cache"},
	{"memcached", "get", "Memcached/get/callers=1", "memcached+Cache"},
	{"memcached", "get, 64 callers", "Memcached/get/callers=64", "memcached+Cache"},
	{"memcached", "100 gets in one", "Memcached/getmany/keys=100", "memcached+Cache"},
	{"memcached", "100 sets in one", "Memcached/setmany/keys=100", "memcached+Cache"},
	{"uwsgi", "get", "Uwsgi/get/callers=1", "uwsgi+Cache"},
	{"uwsgi", "100 gets in one", "Uwsgi/getmany/keys=100", "uwsgi+Cache"},
	{"gcs", "get", "Gcs/get/callers=1", "gcs+Cache"},
	{"gcs", "set", "Gcs/set/callers=1", "gcs+Cache"},
	{"gcs", "100 deletes in one", "Gcs/deletemany/keys=100", "gcs+Cache"},
	{"Flask-Caching", "simple, get", "Original/simple/get", "cachebackends"},
	{"Flask-Caching", "filesystem, get", "Original/filesystem/get", "cachebackends"},
	{"Flask-Caching", "redis, get", "Original/redis/get", "cachebackends"},
	{"Flask-Caching", "memcached, get", "Original/memcached/get", "cachebackends"},
}

func overview(all []*comparison) []part {
	b := chart.Bars{
		Title:    "Speed, in terms of the fastest of the others",
		Subtitle: "Who that is, is named: raw sockets and system calls are among them, which do less. Longer is better, 1× is as fast. Medians of the rounds, thin lines from the worst to the best.",
		Columns:  2, Mark: 1, Format: times,
	}
	for _, h := range headlines {
		bar, ok := h.bar(all)
		if !ok {
			continue
		}
		if last := len(b.Panels) - 1; last < 0 || b.Panels[last].Title != h.panel {
			b.Panels = append(b.Panels, chart.BarPanel{Title: h.panel})
		}
		panel := &b.Panels[len(b.Panels)-1]
		panel.Bars = append(panel.Bars, bar)
	}
	if len(b.Panels) == 0 {
		return nil
	}
	return []part{{ID: "overview", Title: "Overview", Figures: []figure{{"overview", b.Draw()}}}}
}

// bar is that of the most processors and the first file system.
func (h headline) bar(all []*comparison) (chart.Bar, bool) {
	before, after, _ := strings.Cut(h.series, "*")
	var found *comparison
	for _, c := range all {
		if strings.HasPrefix(c.series, before) && strings.HasSuffix(c.series, after) && c.byPeer[h.our] != nil &&
			(found == nil || found.series == c.series && c.procs > found.procs) {
			found = c
		}
	}
	if found == nil {
		return chart.Bar{}, false
	}
	rivals := slices.DeleteFunc(slices.Clone(found.inTurn), func(r *result) bool {
		inMemory := h.panel == "simple"
		return inMemory && !isBoundedPeer(r.Peer) || !inMemory && kindOf(r.Peer) == chart.Ours
	})
	if len(rivals) == 0 {
		return chart.Bar{}, false
	}
	fastest := slices.MinFunc(rivals, func(a, b *result) int { return cmp.Compare(a.ns(), b.ns()) })
	speeds := fastest.ratios(found.byPeer[h.our])
	return chart.Bar{
		Label: h.label + " / " + fastest.Peer, Kind: chart.Ours,
		Value: median(speeds), Low: slices.Min(speeds), High: slices.Max(speeds),
	}, true
}
