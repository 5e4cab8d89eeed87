package main

// uwsgiSeries compare clients of the first cache of a uWSGI server, one caller at
// a time: each request is a connection.
func uwsgiSeries() []series {
	var all []series
	for _, r := range []remote{uwsgiRemote(), uwsgiUnixRemote()} {
		all = append(all, r.calls("get", 1), r.calls("set", 1), r.batches("getmany"))
	}
	return all
}

func uwsgiRemote() remote {
	return remote{"Uwsgi", missingServer("BENCH_UWSGI", "uwsgi"), startUwsgi, uwsgiPeers()}
}

func uwsgiUnixRemote() remote {
	return remote{"UwsgiUnix", missingServer("BENCH_UWSGI_UNIX", "uwsgi"), startUwsgiUnix, uwsgiPeers()}
}

func uwsgiGoals(c *comparison, name string) []goal {
	raw := c.byPeer["raw-uwsgi"]
	if raw == nil {
		return nil
	}
	var goals []goal
	for _, our := range c.only("uwsgi", "uwsgi+Cache") {
		if name == "getmany" {
			if c.procs > 1 {
				goals = append(goals, atLeast(2, raw.timeAgainst(our), "%s: speed of %s, of a raw client's loop", c, our.Peer))
			}
			continue
		}
		goals = append(goals, atMost(1.1, our.timeAgainst(raw), "%s: time of %s, of a raw client's", c, our.Peer))
	}
	return goals
}
