package main

import (
	"slices"
	"strconv"

	"github.com/cachebackends/cachebackends/tools/bench/internal/measure"
	"github.com/cachebackends/cachebackends/tools/bench/internal/memory"
	"github.com/cachebackends/cachebackends/tools/bench/internal/report"
	"github.com/cachebackends/cachebackends/tools/bench/internal/stores"
)

// group is a section of the report and its series. The name of each series begins
// with the name of the section.
type group struct {
	report.Section
	series []measure.Series
}

// bounded matches the peers that bound the memory they use.
const bounded = "otter*,theine,ristretto,golang-lru,ttlcache,bigcache,freecache"

// groups is everything that is measured. Files are in each of dirs, directories of
// many files in the last of them.
func groups(dirs []string) []group {
	return []group{
		{report.Section{
			Name: "Hit", Title: "Hits", Text: "Reads of entries that are all present, all equally likely. Values are shared, not copied.",
			Rows: []report.Row{
				{Part: "simple", Label: "hit, 500 entries", Series: "Hit/entries=500", Ours: "simple", Peers: bounded},
				{Part: "simple", Label: "hit, 1M entries", Series: "Hit/entries=1M", Ours: "simple", Peers: bounded},
			},
		}, memory.Hits("Hit", 500, 100_000, 1_000_000)},
		{report.Section{
			Name: "Mix", Title: "Reads and writes", Text: "Reads of entries that are all present, and replacements in the given percentage of the operations.",
			Rows: []report.Row{
				{Part: "simple", Label: "10 % writes, 500 entries", Series: "Mix/writes=10/entries=500", Ours: "simple", Peers: bounded},
				{Part: "simple", Label: "10 % writes, 1M entries", Series: "Mix/writes=10/entries=1M", Ours: "simple", Peers: bounded},
				{Part: "simple", Label: "writes, 500 entries", Series: "Mix/writes=100/entries=500", Ours: "simple", Peers: bounded},
			},
		}, memory.Mixes("Mix", []int{10, 50, 100}, 500, 1_000_000)},
		{report.Section{
			Name: "Copy", Title: "Hits that copy", Text: "Reads of bytes that become the caller's own: fresh, in its buffer, or as a string.",
			Rows: []report.Row{
				{Part: "simple", Label: "hit that copies 1 KiB", Series: "Copy/bytes=1KiB/entries=500", Ours: "simple-copy", Peers: "bigcache,freecache"},
			},
		}, memory.Copies("Copy", 500, 100, 1<<10)},
		{report.Section{
			Name: "Ratio", Title: "Hit ratio", Unit: memory.HitPercent,
			Text: "Percentage of reads that hit. A Zipf distribution (exponent 1.01) over ten times as many keys as there is room for; what is missing is stored. With scans, a fifth more reads, of keys that are never read again.",
		}, memory.Ratios("Ratio", 500, 100_000)},
		{report.Section{
			Name: "Memory", Title: "Memory of an entry", Unit: memory.PerEntry,
			Text: "Bytes of heap per entry of a full store, with its key of 20 bytes and its value of 100 bytes.",
		}, memory.Weights("Memory", 1_000_000)},
		{report.Section{
			Name: "View", Title: "The cost of Cache and its views", Allocs: true,
			Text: "The same read and write of simple: the bare backend, Cache, and views of bytes, a string and a struct of five fields, encoded and kept as they are.",
		}, memory.Views("View")},
		{report.Section{
			Name: "File", Title: "Files", Allocs: true, Text: "Reads, replacements and new files, by file system and size of the value.",
			Rows: []report.Row{
				{Part: "filesystem", Label: "read 4 KiB", Series: "File/*/get/bytes=4KiB", Ours: "filesystem", Peers: "*"},
				{Part: "filesystem", Label: "replace 4 KiB", Series: "File/*/set/bytes=4KiB", Ours: "filesystem", Peers: "*"},
				{Part: "filesystem", Label: "create 4 KiB", Series: "File/*/create/bytes=4KiB", Ours: "filesystem", Peers: "*"},
			},
		}, files(dirs)},
		{report.Section{
			Name: "Directory", Title: "Directories of many files",
			Text: "A directory that holds as many entries as it may: a new entry, which evicts others; to open it and write once; to empty it. The raw calls neither bound nor look at the directory.",
		}, directories(dirs[len(dirs)-1])},
		{report.Section{
			Name: "Redis", Title: "Redis", Allocs: true, Text: remoteText,
			Rows: []report.Row{
				{Part: "redis", Label: "get", Series: "Redis/get/callers=1", Ours: "redis", Peers: "*"},
				{Part: "redis", Label: "get, 64 callers", Series: "Redis/get/callers=64", Ours: "redis", Peers: "*"},
				{Part: "redis", Label: "set, 64 callers", Series: "Redis/set/callers=64", Ours: "redis", Peers: "*"},
				{Part: "redis", Label: "batch of 100 reads", Series: "Redis/getmany/keys=100", Ours: "redis", Peers: "*"},
			},
		}, stores.Redis.Series("Redis", slices.Concat(remoteCases, []stores.Case{stores.Get(1).Of(1 << 20), stores.Set(1).Of(1 << 20)})...)},
		{report.Section{
			Name: "Memcached", Title: "Memcached", Allocs: true, Text: remoteText,
			Rows: []report.Row{
				{Part: "memcached", Label: "get", Series: "Memcached/get/callers=1", Ours: "memcached", Peers: "*"},
				{Part: "memcached", Label: "get, 64 callers", Series: "Memcached/get/callers=64", Ours: "memcached", Peers: "*"},
				{Part: "memcached", Label: "batch of 100 reads", Series: "Memcached/getmany/keys=100", Ours: "memcached", Peers: "*"},
				{Part: "memcached", Label: "batch of 100 writes", Series: "Memcached/setmany/keys=100", Ours: "memcached", Peers: "*"},
			},
		}, stores.Memcached.Series("Memcached", slices.Concat(remoteCases, []stores.Case{stores.DeleteMany(100), stores.Get(1).Of(512 << 10)})...)},
		{report.Section{
			Name: "Uwsgi", Title: "uWSGI", Allocs: true, Text: remoteText,
			Rows: []report.Row{
				{Part: "uwsgi", Label: "get", Series: "Uwsgi/get/callers=1", Ours: "uwsgi", Peers: "*"},
				{Part: "uwsgi", Label: "batch of 100 reads", Series: "Uwsgi/getmany/keys=100", Ours: "uwsgi", Peers: "*"},
			},
		}, stores.Uwsgi.Series("Uwsgi", stores.Get(1), stores.Set(1), stores.GetMany(100))},
		{report.Section{
			Name: "Gcs", Title: "Google Cloud Storage", Allocs: true,
			Text: "A fake of the service behind a link on which each request takes 20 ms. Batches are of 100 keys, with so many requests at a time.",
			Rows: []report.Row{
				{Part: "gcs", Label: "get", Series: "Gcs/get/callers=1", Ours: "gcs", Peers: "*"},
				{Part: "gcs", Label: "set", Series: "Gcs/set/callers=1", Ours: "gcs", Peers: "*"},
				{Part: "gcs", Label: "batch of 100 deletes", Series: "Gcs/concurrency=32/deletemany/keys=100", Ours: "gcs", Peers: "*"},
			},
		}, buckets()},
		{report.Section{
			Name: "Original", Title: "Flask-Caching", Text: "The same loop in Python with flask_caching and in Go with Cache: one caller, batches of 100.",
			Rows: []report.Row{
				{Part: "Flask-Caching", Label: "simple, get", Series: "Original/simple/get/*", Ours: "cachebackends", Peers: "*"},
				{Part: "Flask-Caching", Label: "filesystem, get", Series: "Original/filesystem/get/*", Ours: "cachebackends", Peers: "*"},
				{Part: "Flask-Caching", Label: "redis, get", Series: "Original/redis/get/*", Ours: "cachebackends", Peers: "*"},
				{Part: "Flask-Caching", Label: "memcached, get", Series: "Original/memcached/get/*", Ours: "cachebackends", Peers: "*"},
			},
		}, stores.Original("Original")},
	}
}

const remoteText = "Calls by so many callers at a time, and batches by one caller. Client and server share the processors; allocations are those of the client."

var remoteCases = []stores.Case{
	stores.Get(1), stores.Get(16), stores.Get(64), stores.Set(1), stores.Set(16), stores.Set(64),
	stores.GetMany(100), stores.SetMany(100), stores.GetMany(1000), stores.SetMany(1000),
}

func files(dirs []string) (all []measure.Series) {
	for _, dir := range dirs {
		var cases []stores.Case
		for _, bytes := range []int{100, 4 << 10, 64 << 10} {
			cases = append(cases, stores.Get(1).Of(bytes), stores.Set(1).Of(bytes), stores.Create(0).Of(bytes))
		}
		all = append(all, stores.Files(dir, 0).Series("File/"+stores.FileSystem(dir), cases...)...)
	}
	return all
}

func directories(dir string) (all []measure.Series) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		all = append(all, stores.Directory(dir, n).Series("Directory/"+stores.FileSystem(dir), stores.Create(n), stores.Open(n), stores.Clear(n))...)
	}
	return all
}

func buckets() []measure.Series {
	all := stores.GCS(32).Series("Gcs", stores.Get(1), stores.Set(1))
	for _, concurrency := range []int{4, 32} {
		all = append(all, stores.GCS(concurrency).Series("Gcs/concurrency="+strconv.Itoa(concurrency), stores.GetMany(100), stores.SetMany(100), stores.DeleteMany(100))...)
	}
	return all
}
