package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// goal is a promise of the project and what this run says about it.
type goal struct {
	Text  string  `json:"text"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Met   bool    `json:"met"`

	Series string `json:"series,omitempty"` // it is about; empty of several
}

// atMost and atLeast are the two kinds of promises.
func atMost(limit, value float64, format string, args ...any) goal {
	return goal{Text: fmt.Sprintf(format, args...), Value: value, Limit: limit, Met: value <= limit}
}

func atLeast(limit, value float64, format string, args ...any) goal {
	return goal{Text: fmt.Sprintf(format, args...), Value: value, Limit: limit, Met: value >= limit}
}

// checkGoals looks at every goal that the results, perhaps of a part of the
// series only, can tell about.
func checkGoals(results []*result) []goal {
	var goals []goal
	for _, c := range cases(results) {
		for _, g := range c.goals() {
			g.Series = c.series
			goals = append(goals, g)
		}
	}
	return append(goals, growthGoals(cases(results))...)
}

func (c *comparison) goals() []goal {
	group, rest, _ := strings.Cut(c.series, "/")
	name, size, _ := strings.Cut(rest, "/")
	switch group {
	case "Hit":
		return hitGoals(c, size)
	case "Mix":
		return mixGoals(c, size)
	case "Ratio":
		return ratioGoals(c)
	case "Bytes":
		return bytesGoals(c)
	case "Copy":
		return copyGoals(c)
	case "File":
		return fileGoals(c, name)
	case "Redis":
		return redisGoals(c, name, size)
	case "Uwsgi", "UwsgiUnix":
		return uwsgiGoals(c, name)
	case "Memcached":
		return memcachedGoals(c, name, size)
	case "View":
		return viewGoals(c, name, size)
	case "Gcs":
		return gcsGoals(c, name, size)
	}
	return nil
}

func hitGoals(c *comparison, size string) []goal {
	var goals []goal
	limits := map[string]float64{"500": 0.45, "1M": 0.75}
	otter := c.least((*result).ns, isOtter)
	for _, our := range c.only("simple", "simple-view") {
		goals = append(goals, atMost(0, float64(our.Allocs), "%s: allocations of %s on a hit", c, our.Peer))
		if limit, ok := limits[size]; ok && otter != nil {
			goals = append(goals, atMost(limit, our.timeAgainst(otter), "%s: time of %s, of %s's", c, our.Peer, otter.Peer))
		}
	}
	return goals
}

func mixGoals(c *comparison, size string) []goal {
	var goals []goal
	limit := 1.15
	if size == "500" {
		limit = 1.8
	}
	fastest := c.least((*result).ns, isBoundedPeer)
	for _, our := range c.only("simple", "simple-view") {
		if fastest != nil {
			goals = append(goals, atLeast(limit, fastest.timeAgainst(our), "%s: speed of %s, of %s's, the fastest bounded peer", c, our.Peer, fastest.Peer))
		}
	}
	return goals
}

func ratioGoals(c *comparison) []goal {
	best := c.least(func(r *result) float64 { return -r.extra(hitUnit) }, isBoundedPeer)
	var goals []goal
	for _, our := range c.only("simple") {
		if best != nil {
			goals = append(goals, atMost(0.5, best.extra(hitUnit)-our.extra(hitUnit), "%s: points of hits behind the best peer, %s", c, best.Peer))
		}
	}
	return goals
}

func bytesGoals(c *comparison) []goal {
	weight := func(r *result) float64 { return r.extra(bytesUnit) }
	otter := c.least(weight, func(peer string) bool { return isOtter(peer) && peer != "otter" }) // which keeps no deadlines
	var goals []goal
	for _, our := range c.only("simple") {
		if otter != nil {
			goals = append(goals, atMost(1, weight(our)/weight(otter), "%s: bytes per entry, of %s's", c, otter.Peer))
		}
	}
	return goals
}

// copyGoals compare like with like: a fresh copy with a fresh copy, the caller's
// buffer with the caller's buffer.
func copyGoals(c *comparison) []goal {
	var goals []goal
	for _, pair := range [][2]string{{"simple-copy", "bigcache"}, {"simple-copy", "freecache"}, {"simple-buffer", "freecache-buffer"}} {
		if our, peer := c.byPeer[pair[0]], c.byPeer[pair[1]]; our != nil && peer != nil {
			goals = append(goals, atMost(0.5, our.timeAgainst(peer), "%s: time of %s, of %s's", c, our.Peer, peer.Peer))
		}
	}
	return goals
}

func fileGoals(c *comparison, name string) []goal {
	our, raw := c.byPeer["filesystem"], c.byPeer["raw"]
	if our == nil || raw == nil {
		return nil
	}
	if strings.HasPrefix(name, "get-") {
		return []goal{atMost(0.7, our.timeAgainst(raw), "%s: time, of os.ReadFile's", c)}
	}
	return []goal{atMost(1.1, our.timeAgainst(raw), "%s: time, of a raw temporary file and rename", c)}
}

func redisGoals(c *comparison, name, size string) []goal {
	raw, rueidis := c.byPeer["go-redis"], c.byPeer["rueidis"]
	limit := 1.05
	if strings.HasSuffix(name, "many") {
		limit = 1.1
	}
	var goals []goal
	for _, our := range c.only("redis", "redis+Cache") { // as it comes; redis-alone is there to show what sharing is worth
		if raw != nil {
			goals = append(goals, atMost(limit, our.timeAgainst(raw), "%s: time of %s, of go-redis's", c, our.Peer))
		}
	}
	if size != "callers=64" {
		return goals
	}
	for _, our := range c.only("redis", "redis+Cache") {
		if raw != nil {
			goals = append(goals, atLeast(2.5, raw.timeAgainst(our), "%s: speed of %s, of go-redis's", c, our.Peer))
		}
		if rueidis != nil {
			goals = append(goals, atLeast(1, rueidis.timeAgainst(our), "%s: speed of %s, of rueidis's", c, our.Peer))
		}
	}
	return goals
}

// comparison is the results of one series on one number of processors.
type comparison struct {
	series string
	procs  int
	inTurn []*result
	byPeer map[string]*result
}

// cases sorts results by what may be compared, in the order they were measured.
func cases(results []*result) []*comparison {
	var all []*comparison
	for _, r := range results {
		at := slices.IndexFunc(all, func(c *comparison) bool { return c.series == r.Series && c.procs == r.Procs })
		if at < 0 {
			at = len(all)
			all = append(all, &comparison{r.Series, r.Procs, nil, map[string]*result{}})
		}
		all[at].inTurn = append(all[at].inTurn, r)
		all[at].byPeer[r.Peer] = r
	}
	return all
}

func (c *comparison) String() string { return fmt.Sprintf("%s-%d", c.series, c.procs) }

func (c *comparison) only(names ...string) []*result {
	var found []*result
	for _, name := range names {
		if r, ok := c.byPeer[name]; ok {
			found = append(found, r)
		}
	}
	return found
}

// least returns the result of smallest measure among those that match, or nil.
func (c *comparison) least(measure func(*result) float64, match func(peer string) bool) *result {
	candidates := slices.DeleteFunc(slices.Clone(c.inTurn), func(r *result) bool { return !match(r.Peer) })
	if len(candidates) == 0 {
		return nil
	}
	return slices.MinFunc(candidates, func(a, b *result) int { return cmp.Compare(measure(a), measure(b)) })
}

func isOtter(peer string) bool { return strings.HasPrefix(peer, "otter") }

func isBoundedPeer(name string) bool {
	return slices.ContainsFunc(peers(), func(p peer) bool {
		return p.name == name && p.bound != unbounded && !strings.HasPrefix(name, "simple")
	})
}
