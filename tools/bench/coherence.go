package main

import (
	"github.com/cachebackends/cachebackends/tools/bench/internal/breaker"
	"github.com/cachebackends/cachebackends/tools/bench/internal/coherence"
	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/report"
)

// coherenceGroups are the series of the wrappers tiered and guard.
func coherenceGroups() []group {
	const tieredName, guardName = "Tiered", "Guard"
	hits := coherence.Hits(tieredName)
	return []group{
		{report.Section{
			Name: tieredName + "/hit", Title: "Hits in the memory of a process, before a server", Allocs: true,
			Text: "Reads of 500 entries of a redis server that are all in the memory of the process, without encoding.",
			Rows: []report.Row{
				{Part: "tiered", Label: "hit", Series: hits.Name, Ours: "tiered", Peers: "rueidis"},
			},
		}, []measure.Series{hits}},
		{report.Section{
			Name: tieredName + "/delay", Title: "Time until another process sees a write", Unit: coherence.DelayP99,
			Text: "From the beginning of a write in one process until another one, which has the key in its memory, reads the new value. Other writers store that many entries per second beside it, 100k as fast as the server and they can.",
		}, coherence.Delays(tieredName + "/delay")},
		{report.Section{
			Name: tieredName + "/traffic", Title: "Traffic of a change", Unit: coherence.Commands,
			Text: "Commands that the server executes, and bytes that it sends and receives, for one write and its first read by another process.",
		}, []measure.Series{coherence.Traffic(tieredName + "/traffic")}},
		{report.Section{
			Name: tieredName + "/cut", Title: "Staleness after a cut link", Unit: coherence.Staleness,
			Text: "Time for which an old value is read after the link of the notices has become silent and the entry was changed, over 100 cuts. `Options.Grace` is 500 ms.",
		}, []measure.Series{coherence.Cut(tieredName + "/cut")}},
		{report.Section{
			Name: guardName + "/blackhole", Title: "Calls in an outage, behind a guard", Unit: breaker.Then,
			Text: "GetOrSet over a redis server that accepts everything and does not reply, while the circuit breaker is closed and when it is open. The budget is 50 ms.",
		}, []measure.Series{breaker.BlackHole(guardName + "/blackhole/GetOrSet")}},
		{report.Section{
			Name: guardName + "/others", Title: "Healthy servers beside one that is down", Unit: breaker.Slowdown,
			Text: "Time of a read of two memcached servers while the third one does not reply, relative to the time before, by 16 callers who read keys of all three.",
		}, []measure.Series{breaker.Others(guardName + "/others/get")}},
	}
}
