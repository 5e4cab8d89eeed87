package main

// gcsSeries compare ways to use a bucket, that of a fake in this process.
func gcsSeries() []series { return gcsRemote().series("getmany", "setmany", "deletemany") }

func gcsRemote() remote { return remote{"Gcs", "", startGcs, gcsPeers()} }

const gcsBucket = "bench"

func gcsGoals(c *comparison, name, size string) []goal {
	client, raw, loop := c.byPeer["storage"], c.byPeer["raw-http"], c.byPeer["gcs-loop"]
	var goals []goal
	for _, our := range c.only("gcs", "gcs+Cache") {
		switch {
		case size == "callers=1" && name == "get" && client != nil:
			goals = append(goals, atMost(1.2, our.timeAgainst(client), "%s: time of %s, of the raw client's", c, our.Peer))
		case size == "callers=1" && name == "set":
			if client != nil {
				goals = append(goals, atMost(0.25, our.timeAgainst(client), "%s: time of %s, of the raw client's with its default writer", c, our.Peer))
			}
			if raw != nil {
				goals = append(goals, atMost(1.7, our.timeAgainst(raw), "%s: time of %s, of a raw HTTP request's", c, our.Peer))
			}
		case name == "deletemany" && loop != nil:
			goals = append(goals, atLeast(4, loop.timeAgainst(our), "%s: speed of %s, of the serial loop", c, our.Peer))
		case name == "getmany" && loop != nil && c.procs > 1:
			goals = append(goals, atLeast(2, loop.timeAgainst(our), "%s: speed of %s, of the serial loop", c, our.Peer))
		}
	}
	return goals
}
