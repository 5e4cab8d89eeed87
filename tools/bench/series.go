package main

import (
	"testing"
	"time"
)

// series is what is compared with each other: the lanes of one case.
type series struct {
	group, name, size string
	procs             []int  // GOMAXPROCS to run with; nil for as it is
	most              int    // rounds at most; 0 for as many as are wanted
	load              int    // entries that a lane stores before it is measured
	heavy             bool   // left out of a quick run
	missing           string // why it cannot be measured here; empty where it can
	prepare           func() error
	release           func() // of what prepare has made for all lanes; both nil for nothing
	lanes             []lane
}

// lane is one peer's part in a series. open makes what run measures; run may be
// called several times before close.
type lane struct {
	peer string
	open func() (run func(*testing.B), close func(), err error)
}

func (s series) title() string { return s.group + "/" + s.name + "/" + s.size }

// rounds is how many there are of this series where so many are wanted.
func (s series) rounds(wanted int) int {
	if s.most > 0 {
		return min(s.most, wanted)
	}
	return wanted
}

// estimate is about how long the series takes.
func (s series) estimate(rounds int, turn time.Duration) time.Duration {
	setup := 30*time.Millisecond + time.Duration(s.load)*time.Microsecond
	return time.Duration(s.rounds(rounds)*len(s.lanes)) * (setup + time.Duration(len(s.onProcs()))*turn*3/2)
}

// Units of what is measured besides the time and allocations of an operation.
const (
	hitUnit     = "hit%"
	bytesUnit   = "B/entry"
	accessUnit  = "ns/access"
	itemUnit    = "ns/item"    // of an operation on many
	longestUnit = "ns/longest" // of all operations
	peakUnit    = "peak-B"     // of the heap, above what it was before
)

// allSeries returns everything there is to measure, files in each of dirs.
func allSeries(dirs []string) []series {
	var all []series
	all = append(all, hitSeries()...)
	all = append(all, mixSeries()...)
	all = append(all, ratioSeries()...)
	all = append(all, bytesSeries()...)
	all = append(all, copySeries()...)
	all = append(all, viewSeries()...)
	all = append(all, fileSeries(dirs)...)
	all = append(all, redisSeries()...)
	all = append(all, memcachedSeries()...)
	all = append(all, uwsgiSeries()...)
	all = append(all, gcsSeries()...)
	all = append(all, originalSeries()...)
	all = append(all, callerSeries(dirs)...)
	all = append(all, batchSeries(dirs)...)
	all = append(all, valueSeries(dirs)...)
	all = append(all, entrySeries()...)
	all = append(all, directorySeries(dirs)...)
	all = append(all, clearSeries()...)
	return all
}
