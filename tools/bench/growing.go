package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/cachebackends/cachebackends/memcached"
)

// The series by which cost is seen to grow: with callers, the keys of a batch, the
// bytes of a value, the entries of a store. Each compares ours with what little the
// same needs elsewhere, so that a step of the machine's is told from one of ours.
// Files are in the last of the directories, by default in memory: what grows is then
// not the disk's work.

// callerSeries read 100 bytes.
func callerSeries(dirs []string) []series {
	var all []series
	for _, callers := range []int{1, 4, 16, 64, 256} {
		for _, r := range []remote{
			simpleRemote(),
			filesystemRemote(dirs[len(dirs)-1]),
			redisRemote().only("go-redis", "redis", "rueidis"),
			memcachedRemote().only("gomemcache", "memcached"),
			uwsgiRemote().only("raw-uwsgi", "uwsgi"),
		} {
			all = append(all, r.growing("Callers", "get", callers, remoteCase{"get", callers, 1, valueSize}))
		}
	}
	return all
}

func batchSeries(dirs []string) []series {
	var all []series
	for _, keys := range []int{1, 10, 100, 1000, 10_000} {
		for _, op := range []string{"getmany", "setmany"} {
			for _, r := range []remote{
				simpleRemote(),
				filesystemRemote(dirs[len(dirs)-1]),
				redisRemote().only("go-redis", "redis"),
				memcachedRemote().only("raw-memcached", "memcached"),
				uwsgiRemote().only("raw-uwsgi", "uwsgi"),
			} {
				if r.group == "Uwsgi" && (op == "setmany" || keys > 1000) {
					continue // a connection for each key, and a cache of 10,000
				}
				all = append(all, r.growing("Batch", op, keys, remoteCase{op, 1, keys, valueSize}))
			}
		}
	}
	return all
}

func valueSeries(dirs []string) []series {
	var all []series
	for _, bytes := range []int{100, 1 << 10, 16 << 10, 256 << 10, 2 << 20, 16 << 20} {
		for _, op := range []string{"get", "set"} {
			remotes := []remote{
				simpleRemote(),
				filesystemRemote(dirs[len(dirs)-1]),
				redisRemote().only("go-redis", "redis"),
				memcachedRemote().only("gomemcache").and("memcached", openMemcachedSpread),
			}
			if bytes > 1<<20 {
				remotes[3] = memcachedRemote().only().and("memcached", openMemcachedSpread)
			}
			if bytes <= 16<<10 { // what a block of its cache holds
				remotes = append(remotes, uwsgiRemote().only("uwsgi"))
			}
			for _, r := range remotes {
				all = append(all, r.growing("Value", op, bytes, remoteCase{op, 1, 1, bytes}))
			}
		}
	}
	return all
}

func openMemcachedSpread(addr string) (remoteStore, error) {
	return storeOf(memcached.New(context.Background(), memcached.Options{Servers: []string{addr}, Spread: true}))
}

// entrySeries read and replace entries of simple, on one processor.
func entrySeries() []series {
	var all []series
	for _, n := range []int{500, 10_000, 100_000, 1_000_000, 10_000_000} {
		names := []string{"simple", "map+RWMutex", "otter-coarse"}
		if n > 1_000_000 {
			names = names[:2]
		}
		compared := slices.DeleteFunc(peers(), func(p peer) bool { return !slices.Contains(names, p.name) })
		for _, op := range []struct {
			name   string
			writes int
		}{{"get", 0}, {"set", 100}} {
			s := memorySeries("Entries", "simple-"+op.name, size{strconv.Itoa(n), n}, op.writes, valueSize, compared)
			s.procs = []int{1}
			if n > 1_000_000 {
				s.most = 1
				s.missing = missingMemory(8 << 30)
			}
			all = append(all, s)
		}
	}
	return all
}

// growing is one size of a line in a chart of group.
func (r remote) growing(group, op string, size int, c remoteCase) series {
	s := r.seriesOf(group, strings.ToLower(r.group)+"-"+op, strconv.Itoa(size), c)
	s.most = 3
	return s
}

// only is r with the named peers.
func (r remote) only(names ...string) remote {
	r.peers = slices.DeleteFunc(slices.Clone(r.peers), func(p remotePeer) bool { return !slices.Contains(names, p.name) })
	return r
}

// and is r with a peer more.
func (r remote) and(name string, open func(addr string) (remoteStore, error)) remote {
	r.peers = append(r.peers, remotePeer{name: name, open: open})
	return r
}
