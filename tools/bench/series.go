package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cachebackends/cachebackends/tools/bench/internal/loads"
	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/memory"
	"github.com/cachebackends/cachebackends/tools/bench/internal/report"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// group is a section of the report and its series. The name of each series begins
// with the name of the section.
type group struct {
	report.Section
	series []measure.Series
}

const (
	counted = "otter*,theine,ristretto,golang-lru"      // peers that bound the number of entries
	weighed = "otter-weight,theine-cost,ristretto-cost" // peers that bound the weight of entries
	bounded = counted + ",bigcache,freecache"           // peers that bound the memory they use
)

// groups is everything that is measured. Files are in each of dirs, directories of
// many files in the last of them.
func groups(dirs []string) []group {
	all := []group{
		{report.Section{
			Name: "Hit", Title: "Hits", Text: "Reads of entries that are all present, all equally likely. Values are shared, not copied.",
			Rows: []report.Row{
				{Part: "simple", Label: "hit, 500 entries", Series: "Hit/entries=500", Ours: "simple", Peers: bounded},
				{Part: "simple", Label: "hit, 1M entries", Series: "Hit/entries=1M", Ours: "simple", Peers: bounded},
			},
		}, memory.Mixes("Hit", 0, "500", "100k", "1M")},
		{report.Section{
			Name: "Mix", Title: "Reads and writes", Text: "Reads of entries that are all present, and replacements in the given percentage of the operations.",
			Rows: []report.Row{
				{Part: "simple", Label: "10 % writes, 500 entries", Series: "Mix/writes=10/entries=500", Ours: "simple", Peers: bounded},
				{Part: "simple", Label: "10 % writes, 1M entries", Series: "Mix/writes=10/entries=1M", Ours: "simple", Peers: bounded},
				{Part: "simple", Label: "writes, 500 entries", Series: "Mix/writes=100/entries=500", Ours: "simple", Peers: bounded},
			},
		}, slices.Concat(memory.Mixes("Mix/writes=10", 10, "500", "1M"), memory.Mixes("Mix/writes=50", 50, "500", "1M"), memory.Mixes("Mix/writes=100", 100, "500", "1M"))},
		{report.Section{
			Name: "Create", Title: "New keys", Text: "Sets of absent keys by a full store, each of which evicts another entry.",
			Rows: []report.Row{
				{Part: "simple", Label: "new key, 100k entries", Series: "Create/entries=100k", Ours: "simple", Peers: counted},
			},
		}, memory.Creations("Create", "100k")},
		{report.Section{
			Name: "Copy", Title: "Hits that copy", Text: "Reads of bytes that become the caller's own: fresh, in its buffer, or as a string.",
			Rows: []report.Row{
				{Part: "simple", Label: "hit that copies 1 KiB", Series: "Copy/bytes=1KiB/entries=500", Ours: "simple-copy", Peers: "bigcache,freecache"},
			},
		}, memory.Copies("Copy", "100B", "1KiB")},
		{report.Section{
			Name: "Ratio", Title: "Hit ratio", Unit: memory.HitPercent,
			Text: "Percentage of the reads that hit. A Zipf distribution (exponent 1.01) over ten times as many keys as there is room for; what is missing is stored. With scans, a fifth more reads, of keys that are never read again. With sizes, values are log-normally distributed (median 500 bytes, sigma 1.5), and peers have room for the given number of entries of the mean weight.",
		}, append(memory.Ratios("Ratio", "500", "100k"), memory.SizedRatios("Ratio", "500", "10k")...)},
		{report.Section{
			Name: "Memory", Title: "Memory of an entry", Unit: memory.PerEntry,
			Text: "Bytes of heap per entry of a full store, with its key of 20 bytes and its value of 100 bytes.",
		}, memory.Weights("Memory", "1M")},
		{report.Section{
			Name: "Bound", Title: "Memory at a bound", Unit: memory.HeapAtBound,
			Text: "Heap of a store whose entries may weigh 64 MiB, and which is full. All peers count for an entry what simple counts.",
		}, memory.Bounds("Bound", "100B", "1KiB", "64KiB")},
		{report.Section{
			Name: "Freed", Title: "Memory after expiry", Unit: memory.UntilFreed,
			Text: "Time from the expiry of all entries until a tenth of their memory is left, while nobody calls the store and the garbage collector runs once a second. Two minutes are the most that is waited for.",
		}, memory.Expiries("Freed", "1M")},
		{report.Section{
			Name: "Collector", Title: "Garbage collection", Unit: memory.CPUPerCycle,
			Text: "CPU time of the garbage collector per cycle over a full store, as the runtime estimates it, and the longest stop of all goroutines in five cycles. Keys and values belong to the store alone. The time of a stop is the end of its bin in runtime/metrics: a bin is up to a quarter wide.",
		}, memory.Collections("Collector", "1M", "10M")},
		{report.Section{
			Name: "File", Title: "Files", Allocs: true, Text: "Reads, replacements and new files, by file system and size of the value.",
			Rows: []report.Row{
				{Part: "filesystem", Label: "read 4 KiB", Series: "File/*/get/bytes=4KiB", Ours: "filesystem", Peers: "raw,diskv"},
				{Part: "filesystem", Label: "replace 4 KiB", Series: "File/*/set/bytes=4KiB", Ours: "filesystem", Peers: "raw,diskv"},
				{Part: "filesystem", Label: "create 4 KiB", Series: "File/*/create/bytes=4KiB", Ours: "filesystem", Peers: "raw,diskv"},
			},
		}, files(dirs)},
		{report.Section{
			Name: "Directory", Title: "Directories of many files",
			Text: "A directory that holds as many entries as it may: an eighth more of them, which evicts others, with the time of single calls; to open it and write once; to empty it, as a whole or by a prefix that all keys have. The raw calls neither bound nor look at the directory, and their files are called as the keys. Of several processes each writes keys of its own; -alone is one process, and the most entries that there were are given in thresholds.",
		}, directories(dirs[len(dirs)-1])},
		{report.Section{
			Name: "Redis", Title: "Redis", Allocs: true, Text: remoteText,
			Rows: []report.Row{
				{Part: "redis", Label: "get", Series: "Redis/get/callers=1", Ours: "redis", Peers: "go-redis,rueidis"},
				{Part: "redis", Label: "get, 64 callers", Series: "Redis/get/callers=64", Ours: "redis", Peers: "go-redis,rueidis"},
				{Part: "redis", Label: "set, 64 callers", Series: "Redis/set/callers=64", Ours: "redis", Peers: "go-redis,rueidis"},
				{Part: "redis", Label: "batch of 100 reads", Series: "Redis/getmany/keys=100", Ours: "redis", Peers: "go-redis,rueidis"},
			},
		}, stores.Redis.Series("Redis", remoteTasks+"get/bytes=1MiB set/bytes=1MiB append/bytes=1MiB "+
			"delete/callers=1 delete/callers=64 add/callers=1 add/callers=64 ttl/callers=1 ttl/callers=64")},
		{report.Section{
			Name: "RedisCluster", Title: "Redis Cluster", Allocs: true, Text: "Three primaries. " + remoteText,
			Rows: []report.Row{
				{Part: "redis", Label: "cluster, get", Series: "RedisCluster/get/callers=1", Ours: "redis", Peers: "go-redis,rueidis"},
				{Part: "redis", Label: "cluster, get, 64 callers", Series: "RedisCluster/get/callers=64", Ours: "redis", Peers: "go-redis,rueidis"},
			},
		}, stores.RedisCluster.Series("RedisCluster", remoteTasks)},
		{report.Section{
			Name: "Memcached", Title: "Memcached", Allocs: true, Text: remoteText,
			Rows: []report.Row{
				{Part: "memcached", Label: "get", Series: "Memcached/get/callers=1", Ours: "memcached", Peers: "gomemcache"},
				{Part: "memcached", Label: "get, 64 callers", Series: "Memcached/get/callers=64", Ours: "memcached", Peers: "gomemcache"},
				{Part: "memcached", Label: "batch of 100 reads", Series: "Memcached/getmany/keys=100", Ours: "memcached", Peers: "gomemcache"},
				{Part: "memcached", Label: "batch of 100 writes", Series: "Memcached/setmany/keys=100", Ours: "memcached", Peers: "gomemcache"},
			},
		}, stores.Memcached.Series("Memcached", remoteTasks+"deletemany/keys=100 get/bytes=512KiB set/bytes=512KiB append/bytes=64KiB append/bytes=1M set/bytes=64KiB set/bytes=1M")},
		{report.Section{
			Name: "Uwsgi", Title: "uWSGI", Allocs: true, Text: remoteText,
			Rows: []report.Row{
				{Part: "uwsgi", Label: "get", Series: "Uwsgi/get/callers=1", Ours: "uwsgi", Peers: "raw-uwsgi"},
				{Part: "uwsgi", Label: "batch of 100 reads", Series: "Uwsgi/getmany/keys=100", Ours: "uwsgi", Peers: "raw-uwsgi"},
			},
		}, stores.Uwsgi.Series("Uwsgi", "get/callers=1 set/callers=1 getmany/keys=100 append/bytes=32KiB set/bytes=32KiB")},
		{report.Section{
			Name: "Gcs", Title: "Google Cloud Storage", Allocs: true,
			Text: "A fake of the service behind a link on which each request takes 20 ms. Batches are of 100 keys, with so many requests at a time.",
			Rows: []report.Row{
				{Part: "gcs", Label: "get", Series: "Gcs/get/callers=1", Ours: "gcs", Peers: "raw-http"},
				{Part: "gcs", Label: "set", Series: "Gcs/set/callers=1", Ours: "gcs", Peers: "raw-http"},
				{Part: "gcs", Label: "batch of 100 deletes", Series: "Gcs/concurrency=32/deletemany/keys=100", Ours: "gcs", Peers: "raw-http"},
			},
		}, buckets()},
		{report.Section{
			Name: "Loaded", Title: "Hits of caches that load", Allocs: true,
			Text: "Reads of 500 entries that are all present and fresh, through the call that loads what is missing. Values are shared, not copied.",
			Rows: []report.Row{
				{Part: "loader", Label: "hit", Series: "Loaded/*", Ours: "simple-loader", Peers: "otter-loader,sturdyc"},
			},
		}, memory.Loaded("Loaded")},
		{report.Section{
			Name: "Observed", Title: "Hits that are observed", Allocs: true,
			Text: "Reads of 500 entries that are all present, through caches with different observers or tracers. Values are shared, not copied. What one of them costs is the difference to none.",
		}, memory.Observed("Observed")},
		{report.Section{
			Name: "Expiry", Title: "Loads per expiry", Unit: loads.PerExpiry,
			Text: "Calls of the source for each expiry of one key, and the times of all calls. " + loadsText,
		}, loads.Expiries("Expiry")},
		{report.Section{
			Name: "Expiry", Title: "Age of what is served", Histogram: true,
			Text: "Percentage of the calls by the age of their values, counted from the beginning of the load. The last column has no end. The series are those of the loads per expiry.",
		}, nil},
		{report.Section{
			Name: "Outage", Title: "Outage of the source", Unit: loads.Errors,
			Text: "Errors that callers have seen while all loads fail, calls of the source by all processes, and the times of all calls. The outage begins when the value is fresh. The backoff of those that have one begins with a second.",
		}, loads.Outages("Outage")},
		{report.Section{
			Name: "Original", Title: "Flask-Caching", Text: "The same loop in Python with flask_caching and in Go with Cache: one caller, batches of 100.",
			Rows: []report.Row{
				{Part: "Flask-Caching", Label: "simple, get", Series: "Original/simple/get/*", Ours: "cachebackends", Peers: "flask-caching"},
				{Part: "Flask-Caching", Label: "filesystem, get", Series: "Original/filesystem/get/*", Ours: "cachebackends", Peers: "flask-caching"},
				{Part: "Flask-Caching", Label: "redis, get", Series: "Original/redis/get/*", Ours: "cachebackends", Peers: "flask-caching"},
				{Part: "Flask-Caching", Label: "memcached, get", Series: "Original/memcached/get/*", Ours: "cachebackends", Peers: "flask-caching"},
			},
		}, stores.Original("Original")},
	}
	return append(all, coherenceGroups()...)
}

const (
	loadsText = "4 processes over the same store have 64 callers each, and a caller calls every 20 ms. The processes are caches in this process, each with a client of its own. " +
		"A value is fresh for 200 ms and a load takes 50 ms. TTLs of memcached are up to three seconds longer. Peers whose store is part of the process have four stores; each expiry of one of them counts as a quarter."
	remoteText  = "Calls by so many callers at a time, and batches by one caller. Client and server share the processors; allocations are those of the client. append reads into one buffer that is used again, if the client can; otherwise it is get."
	remoteTasks = "get/callers=1 get/callers=16 get/callers=64 set/callers=1 set/callers=16 set/callers=64 " +
		"getmany/keys=100 setmany/keys=100 getmany/keys=1k setmany/keys=1k "
)

// files are measured in each directory, which has a name: "memory=/dev/shm".
func files(dirs []string) (all []measure.Series) {
	for _, named := range dirs {
		name, dir, _ := strings.Cut(named, "=")
		all = append(all, stores.Files(dir, 0).Series("File/"+name, "get/bytes=100B set/bytes=100B create/bytes=100B "+
			"get/bytes=4KiB append/bytes=4KiB set/bytes=4KiB create/bytes=4KiB "+
			"get/bytes=64KiB append/bytes=64KiB set/bytes=64KiB create/bytes=64KiB")...)
	}
	return all
}

func directories(named string) (all []measure.Series) {
	name, dir, _ := strings.Cut(named, "=")
	for _, n := range []string{"1k", "100k", "1M"} {
		all = append(all, stores.Files(dir, workload.Number(n)).Series("Directory/"+name, "full/entries="+n+" open/entries="+n+" clear/entries="+n+" clearprefix/entries="+n)...)
	}
	return append(all, stores.Together("Directory/"+name+"/create/processes=2", dir), stores.Crowd("Directory/"+name+"/full/processes=4", dir, 20_000))
}

func buckets() []measure.Series {
	all := stores.GCS(32).Series("Gcs", "get/callers=1 set/callers=1")
	for _, concurrency := range []int{4, 32} {
		all = append(all, stores.GCS(concurrency).Series(fmt.Sprintf("Gcs/concurrency=%d", concurrency), "getmany/keys=100 setmany/keys=100 deletemany/keys=100")...)
	}
	return all
}

// peerNotes are what the peers do not offer, each peer once.
func peerNotes(all []group) (notes []report.Note) {
	for _, g := range all {
		for _, s := range g.series {
			for _, l := range s.Lanes {
				if note := (report.Note{Peer: l.Peer, Lacks: l.Lacks}); !slices.Contains(notes, note) {
					notes = append(notes, note)
				}
			}
		}
	}
	return notes
}
