package main

import (
	"os"
	"path/filepath"
	"testing"
)

func BenchmarkHit(b *testing.B)       { runSeries(b, hitSeries()) }
func BenchmarkMix(b *testing.B)       { runSeries(b, mixSeries()) }
func BenchmarkRatio(b *testing.B)     { runSeries(b, ratioSeries()) }
func BenchmarkBytes(b *testing.B)     { runSeries(b, bytesSeries()) }
func BenchmarkCopy(b *testing.B)      { runSeries(b, copySeries()) }
func BenchmarkRedis(b *testing.B)     { runSeries(b, redisSeries()) }
func BenchmarkUwsgi(b *testing.B)     { runSeries(b, uwsgiSeries()) }
func BenchmarkMemcached(b *testing.B) { runSeries(b, memcachedSeries()) }
func BenchmarkGcs(b *testing.B)       { runSeries(b, gcsSeries()) }

func BenchmarkView(b *testing.B)      { runSeries(b, viewSeries()) }
func BenchmarkOriginal(b *testing.B)  { runSeries(b, originalSeries()) }
func BenchmarkEntries(b *testing.B)   { runSeries(b, entrySeries()) }
func BenchmarkClearing(b *testing.B)  { runSeries(b, clearSeries()) }
func BenchmarkCallers(b *testing.B)   { runSeries(b, callerSeries(defaultDirs())) }
func BenchmarkBatch(b *testing.B)     { runSeries(b, batchSeries(defaultDirs())) }
func BenchmarkValue(b *testing.B)     { runSeries(b, valueSeries(defaultDirs())) }
func BenchmarkDirectory(b *testing.B) { runSeries(b, directorySeries(defaultDirs())) }

// BenchmarkFile takes its directories from BENCH_DIRS, a list as in PATH.
func BenchmarkFile(b *testing.B) {
	dirs := defaultDirs()
	if list := os.Getenv("BENCH_DIRS"); list != "" {
		dirs = filepath.SplitList(list)
	}
	runSeries(b, fileSeries(dirs))
}

// runSeries leaves the choice of GOMAXPROCS to -cpu.
func runSeries(b *testing.B, all []series) {
	for _, s := range all {
		b.Run(s.name+"/"+s.size, func(b *testing.B) {
			if s.missing != "" {
				b.Skip(s.missing)
			}
			if s.prepare != nil {
				if err := s.prepare(); err != nil {
					b.Fatal(err)
				}
				defer s.release()
			}
			for _, l := range s.lanes {
				runLane(b, l)
			}
		})
	}
}

// runLane opens what it measures once, and not at all where -bench leaves it out.
func runLane(b *testing.B, l lane) {
	var run func(*testing.B)
	var closeLane func()
	b.Run(l.peer, func(b *testing.B) {
		if run == nil {
			var err error
			if run, closeLane, err = l.open(); err != nil {
				b.Fatal(err)
			}
		}
		run(b)
	})
	if run != nil {
		closeLane() // before the next peer, whose collections would see its memory
	}
}
