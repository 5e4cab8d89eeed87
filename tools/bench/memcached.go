package main

// memcachedSeries compare clients of a memcached server.
func memcachedSeries() []series { return memcachedRemote().series("getmany", "setmany", "deletemany") }

func memcachedRemote() remote {
	return remote{"Memcached", missingServer("BENCH_MEMCACHED", "memcached"), startMemcached, memcachedPeers()}
}

func memcachedGoals(c *comparison, name, size string) []goal {
	gomemcache, raw := c.byPeer["gomemcache"], c.byPeer["raw-memcached"]
	speeds := map[string]float64{"callers=16": 1.7, "callers=64": 3}
	pipelines := map[string]float64{"getmany": 1.2, "setmany": 1.5, "deletemany": 1.5}
	var goals []goal
	for _, our := range c.only("memcached", "memcached+Cache") {
		if gomemcache != nil && size == "callers=1" {
			goals = append(goals, atMost(1.05, our.timeAgainst(gomemcache), "%s: time of %s, of gomemcache's", c, our.Peer))
		}
		if least, ok := speeds[size]; ok && gomemcache != nil {
			goals = append(goals, atLeast(least, gomemcache.timeAgainst(our), "%s: speed of %s, of gomemcache's", c, our.Peer))
		}
		if gomemcache != nil && (name == "setmany" || name == "deletemany") {
			goals = append(goals, atLeast(20, gomemcache.timeAgainst(our), "%s: speed of %s, of gomemcache's loop", c, our.Peer))
		}
		if most, ok := pipelines[name]; ok && raw != nil {
			goals = append(goals, atMost(most, our.timeAgainst(raw), "%s: time of %s, of the raw pipeline's", c, our.Peer))
		}
	}
	return goals
}
