package main

import (
	"strings"
	"testing"
)

func TestGoals(t *testing.T) {
	timed := func(series, peer string, ns ...float64) *result {
		return &result{Series: series, Procs: 1, Peer: peer, NsPerOp: ns}
	}
	counted := func(series, peer, unit string, value float64) *result {
		return &result{Series: series, Procs: 1, Peer: peer, NsPerOp: []float64{1}, Extra: map[string][]float64{unit: {value}}}
	}
	allocating := timed("Hit/shared/100k", "simple", 10)
	allocating.Allocs = 1
	for _, test := range []struct {
		name    string
		results []*result
		want    string // of the last goal
		met     bool
	}{
		{"a hit fast enough", []*result{timed("Hit/shared/500", "simple", 44), timed("Hit/shared/500", "otter", 100), timed("Hit/shared/500", "otter-coarse", 120)}, "0.44 of otter", true},
		{"a hit too slow for the faster otter", []*result{timed("Hit/shared/500", "simple", 46), timed("Hit/shared/500", "otter", 120), timed("Hit/shared/500", "otter-coarse", 100)}, "0.46 of otter-coarse", false},
		{"rounds are compared one by one", []*result{timed("Hit/shared/1M", "simple", 10, 200, 40), timed("Hit/shared/1M", "otter", 20, 400, 50)}, "0.50 of otter", true},
		{"a hit that allocates", []*result{allocating}, "1.00 of", false},
		{"a mix behind a bounded peer", []*result{timed("Mix/90-10/1M", "simple", 10), timed("Mix/90-10/1M", "theine", 11), timed("Mix/90-10/1M", "sync.Map", 1)}, "1.10 of theine", false},
		{"a mix ahead", []*result{timed("Mix/90-10/1M", "simple", 10), timed("Mix/90-10/1M", "freecache", 12)}, "1.20 of freecache", true},
		{"a small mix has a higher goal", []*result{timed("Mix/90-10/500", "simple", 10), timed("Mix/90-10/500", "freecache", 12)}, "1.20 of freecache", false},
		{"hits near the best", []*result{counted("Ratio/zipf/500", "simple", hitUnit, 72.6), counted("Ratio/zipf/500", "theine", hitUnit, 73)}, "0.40 of theine", true},
		{"hits behind the best", []*result{counted("Ratio/zipf/500", "simple", hitUnit, 72.4), counted("Ratio/zipf/500", "theine", hitUnit, 73), counted("Ratio/zipf/500", "otter", hitUnit, 70)}, "0.60 of theine", false},
		{"heavier than an otter that expires", []*result{counted("Bytes/full/1M", "simple", bytesUnit, 300), counted("Bytes/full/1M", "otter", bytesUnit, 100), counted("Bytes/full/1M", "otter-expiry", bytesUnit, 200)}, "1.50 of otter-expiry", false},
		{"a fast copy", []*result{timed("Copy/1KB/500", "simple-copy", 50), timed("Copy/1KB/500", "bigcache", 100)}, "0.50 of bigcache", true},
		{"a slow copy", []*result{timed("Copy/1KB/500", "simple-buffer", 51), timed("Copy/1KB/500", "freecache-buffer", 100)}, "0.51 of freecache-buffer", false},
		{"a slow read of a file", []*result{timed("File/get-tmpfs/4KiB", "filesystem", 8), timed("File/get-tmpfs/4KiB", "raw", 10)}, "0.80 of", false},
		{"a call of the bare backend", []*result{timed("Redis/get/callers=16", "redis", 105), timed("Redis/get/callers=16", "go-redis", 100)}, "1.05 of go-redis", true},
		{"a call too slow", []*result{timed("Redis/set/callers=1", "redis+Cache", 106), timed("Redis/set/callers=1", "go-redis", 100)}, "1.06 of go-redis", false},
		{"a batch has a wider limit", []*result{timed("Redis/getmany/keys=100", "redis+Cache", 110), timed("Redis/getmany/keys=100", "go-redis", 100)}, "1.10 of go-redis", true},
		{"a slow batch", []*result{timed("Redis/setmany/keys=100", "redis", 111), timed("Redis/setmany/keys=100", "go-redis", 100)}, "1.11 of go-redis", false},
		{"many callers, not fast enough", []*result{timed("Redis/get/callers=64", "redis", 100), timed("Redis/get/callers=64", "go-redis", 249)}, "2.49 of go-redis", false},
		{"many callers, slower than rueidis", []*result{timed("Redis/set/callers=64", "redis", 100), timed("Redis/set/callers=64", "go-redis", 300), timed("Redis/set/callers=64", "rueidis", 99)}, "0.99 of rueidis", false},
		{"one caller as fast as gomemcache", []*result{timed("Memcached/get/callers=1", "memcached", 105), timed("Memcached/get/callers=1", "gomemcache", 100)}, "1.05 of gomemcache", true},
		{"one caller slower", []*result{timed("Memcached/set/callers=1", "memcached+Cache", 106), timed("Memcached/set/callers=1", "gomemcache", 100)}, "1.06 of gomemcache", false},
		{"sixteen callers", []*result{timed("Memcached/set/callers=16", "memcached", 100), timed("Memcached/set/callers=16", "gomemcache", 170)}, "1.70 of gomemcache", true},
		{"64 callers, not fast enough", []*result{timed("Memcached/get/callers=64", "memcached", 100), timed("Memcached/get/callers=64", "gomemcache", 299)}, "2.99 of gomemcache", false},
		{"a batch of writes against a loop", []*result{timed("Memcached/deletemany/keys=100", "memcached", 10), timed("Memcached/deletemany/keys=100", "gomemcache", 199)}, "19.90 of gomemcache", false},
		{"a batch of writes behind the pipeline", []*result{timed("Memcached/setmany/keys=100", "memcached", 151), timed("Memcached/setmany/keys=100", "raw-memcached", 100)}, "1.51 of the raw", false},
		{"a batch of reads", []*result{timed("Memcached/getmany/keys=100", "memcached+Cache", 120), timed("Memcached/getmany/keys=100", "raw-memcached", 100)}, "1.20 of the raw", true},
		{"a hit in a bucket", []*result{timed("Gcs/get/callers=1", "gcs", 121), timed("Gcs/get/callers=1", "storage", 100)}, "1.21 of", false},
		{"a put against the default writer", []*result{timed("Gcs/set/callers=1", "gcs", 25), timed("Gcs/set/callers=1", "storage", 100)}, "0.25 of", true},
		{"a put against raw HTTP", []*result{timed("Gcs/set/callers=1", "gcs+Cache", 171), timed("Gcs/set/callers=1", "raw-http", 100)}, "1.71 of", false},
		{"deletes against a loop", []*result{timed("Gcs/deletemany/keys=100", "gcs", 10), timed("Gcs/deletemany/keys=100", "gcs-loop", 40)}, "4.00 of", true},
		{"a write of a file", []*result{timed("File/replace-tmpfs/4KiB", "filesystem", 11), timed("File/replace-tmpfs/4KiB", "raw", 10)}, "1.10 of", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			goals := checkGoals(test.results)
			if len(goals) == 0 {
				t.Fatal("no goal was looked at")
			}
			got := goals[len(goals)-1]
			value, other, _ := strings.Cut(test.want, " of")
			if shown := row(got)[2]; shown != value || !strings.Contains(got.Text, strings.TrimSpace(other)) || got.Met != test.met {
				t.Errorf("reached %s, met %v: %q; want %s, %v", shown, got.Met, got.Text, test.want, test.met)
			}
		})
	}
}

func TestGoalsNeedTheirResults(t *testing.T) {
	alone := []*result{{Series: "Mix/50-50/500", Procs: 2, Peer: "otter", NsPerOp: []float64{1}}}
	if goals := checkGoals(alone); len(goals) > 0 {
		t.Errorf("%v cannot be told from %v", goals, alone)
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		name    string
		samples []float64
		want    float64
	}{
		{"one", []float64{3}, 3},
		{"odd", []float64{9, 1, 3}, 3},
		{"even", []float64{1, 9, 3, 4}, 3.5},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := median(test.samples); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
