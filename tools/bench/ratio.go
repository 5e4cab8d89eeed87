package main

import "testing"

// ratioSeries replay a trace against an empty store.
func ratioSeries() []series {
	var all []series
	for _, size := range sizes[:2] {
		for _, scans := range []bool{false, true} {
			all = append(all, ratioSeriesOf(size, scans))
		}
	}
	return all
}

func ratioSeriesOf(size size, scans bool) series {
	s := series{group: "Ratio", name: "zipf", size: size.name, load: 30 * size.entries}
	if size.entries >= 100_000 { // one replay is longer than a turn
		s.most, s.heavy = 2, true
	}
	if scans {
		s.name = "zipf+scans"
	}
	var t trace
	s.prepare = func() error {
		t = makeTrace(size.entries, max(30*size.entries, 1_000_000), scans, 1)
		return nil
	}
	s.release = func() { t = trace{} }
	for _, p := range peers() {
		if p.bound != byEntries || p.name == "simple-view" || p.name == "simple-copy" {
			continue // no bound to compare, or the same evictions as simple
		}
		s.lanes = append(s.lanes, lane{p.name, func() (func(*testing.B), func(), error) {
			run := func(b *testing.B) {
				value := make([]byte, valueSize)
				sum, replays := 0.0, 0
				for b.Loop() {
					st, err := p.open(size.entries, len(value))
					if err != nil {
						fail(b, err)
					}
					sum += t.replay(st, value)
					replays++
					st.close()
				}
				b.ReportMetric(sum/float64(replays), hitUnit)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(replays*len(t.ids)), accessUnit)
			}
			return run, func() {}, nil
		}})
	}
	return s
}
