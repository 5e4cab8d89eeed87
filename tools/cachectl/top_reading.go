package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// reading is what a store reports at one moment.
type reading struct {
	at      time.Time
	latency time.Duration // of a ping
	stats   driver.Stats
	servers map[string]serverInfo // by address; empty if the backend reports none
	err     error                 // of the store
}

func (s *entryStore) reading(ctx context.Context) reading {
	r := reading{at: time.Now(), stats: driver.UnknownStats}
	if r.err = s.cache.Ping(ctx); r.err != nil {
		return r
	}
	r.latency = time.Since(r.at)
	if stats, err := s.cache.Stats(ctx); err == nil {
		r.stats = stats
	} else if !errors.Is(err, errors.ErrUnsupported) {
		r.err = err
		return r
	}
	servers, err := s.serverInfos(ctx)
	if err == nil {
		r.servers = servers
	} else if isOutage(err) { // not missing permissions: the other numbers are useful
		r.err = err
	}
	return r
}

// activity is what a store did between two readings. A number that is unknown is NaN.
type activity struct {
	server string // empty for the store as a whole

	hits, misses, operations, evictions float64 // per second
	entries, bytes, maxBytes            float64
	clients                             float64
	commands                            []commandActivity // the slowest first
}

type commandActivity struct {
	name    string
	calls   float64       // per second
	average time.Duration // of one call, in the server
}

func (a activity) ratio() float64 { return a.hits / (a.hits + a.misses) }

// activities returns what each server did from one reading to the next one, or the store if
// its backend does not report servers.
func activities(from, to reading) []activity {
	seconds := to.at.Sub(from.at).Seconds()
	if len(to.servers) == 0 {
		a := activity{hits: math.NaN(), misses: math.NaN(), operations: math.NaN(), clients: math.NaN(),
			evictions: rateOf(known(from.stats.Evictions), known(to.stats.Evictions), seconds),
			entries:   known(to.stats.Entries), bytes: known(to.stats.Bytes), maxBytes: known(to.stats.MaxBytes)}
		return []activity{a}
	}
	var all []activity
	for _, server := range slices.Sorted(maps.Keys(to.servers)) {
		before, now := from.servers[server], to.servers[server]
		per := func(names ...string) float64 {
			for _, name := range names { // of Redis or of memcached
				if now[name] != "" {
					return rateOf(before.number(name), now.number(name), seconds)
				}
			}
			return math.NaN()
		}
		a := activity{
			server: server, hits: per("keyspace_hits", "get_hits"), misses: per("keyspace_misses", "get_misses"),
			operations: per("total_commands_processed"), evictions: per("evicted_keys", "evictions"),
			entries: now.first("curr_items"), bytes: now.first("used_memory", "bytes"),
			maxBytes: now.first("maxmemory", "limit_maxbytes"), clients: now.first("connected_clients", "curr_connections"),
		}
		if now["curr_items"] == "" {
			keys, _ := keyspace(now)
			a.entries = float64(keys)
		}
		if now["total_commands_processed"] == "" {
			a.operations = per("cmd_get") + per("cmd_set")
		}
		a.commands = commandActivities(before, now, seconds)
		all = append(all, a)
	}
	return all
}

// first returns the first field that the server reports, or NaN.
func (info serverInfo) first(names ...string) float64 {
	for _, name := range names {
		if info[name] != "" {
			return info.number(name)
		}
	}
	return math.NaN()
}

func known(n int64) float64 {
	if n < 0 {
		return math.NaN()
	}
	return float64(n)
}

// rateOf returns the growth of a counter per second. A counter that got smaller has begun
// anew.
func rateOf(before, now, seconds float64) float64 {
	if now < before {
		before = 0
	}
	return (now - before) / seconds
}

// commandActivities reads the lines of INFO commandstats of Redis, such as
// cmdstat_get:calls=3,usec=12,usec_per_call=4.00.
func commandActivities(before, now serverInfo, seconds float64) []commandActivity {
	var list []commandActivity
	for field, text := range now {
		name, found := strings.CutPrefix(field, "cmdstat_")
		if !found {
			continue
		}
		calls, spent := commandStat(text)
		oldCalls, oldSpent := commandStat(before[field])
		if calls < oldCalls {
			oldCalls, oldSpent = 0, 0
		}
		if calls > oldCalls {
			average := time.Duration((spent - oldSpent) / (calls - oldCalls) * float64(time.Microsecond))
			list = append(list, commandActivity{name, (calls - oldCalls) / seconds, average})
		}
	}
	slices.SortFunc(list, func(a, b commandActivity) int {
		return cmp.Or(cmp.Compare(b.average, a.average), cmp.Compare(a.name, b.name))
	})
	return list
}

func commandStat(text string) (calls, usec float64) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil:
		case name == "calls":
			calls = n
		case name == "usec":
			usec = n
		}
	}
	return calls, usec
}

// sample is what a scan of some entries found.
type sample struct {
	at       time.Time
	took     time.Duration
	usage    *usage
	largest  []driver.Entry // the largest first
	complete bool           // all entries were scanned
	err      error
}

const largestEntries = 5

func (s *entryStore) sample(ctx context.Context, prefix, separator string, size int) sample {
	found := sample{at: time.Now(), usage: newUsage(prefix, separator, 1, 1000), complete: true}
	for entry, err := range s.cache.Scan(ctx, prefix) {
		if err != nil {
			found.complete = false
			if !errors.Is(err, context.DeadlineExceeded) { // what was found in time is useful
				found.err = err
			}
			break
		}
		found.usage.add(entry)
		found.largest = append(found.largest, entry)
		if len(found.largest) > 100*largestEntries {
			found.cut()
		}
		if found.usage.total.entries == int64(size) {
			found.complete = false
			break
		}
	}
	found.cut()
	found.took = time.Since(found.at)
	return found
}

// cut keeps the largest entries.
func (found *sample) cut() {
	slices.SortFunc(found.largest, func(a, b driver.Entry) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Key, b.Key))
	})
	found.largest = found.largest[:min(len(found.largest), largestEntries)]
}
