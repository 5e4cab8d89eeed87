package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serverInfo is what a server reports about itself: the fields of INFO of Redis or of
// stats of memcached.
type serverInfo map[string]string

// number returns a field, NaN if the server does not report it.
func (info serverInfo) number(name string) float64 {
	n, err := strconv.ParseFloat(info[name], 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// serverInfos returns the information of every server behind s by its address.
func (s *entryStore) serverInfos(ctx context.Context) (map[string]serverInfo, error) {
	source, ok := s.cache.Backend().(interface {
		ServerInfo(context.Context) (map[string]map[string]string, error)
	})
	if !ok {
		return nil, fmt.Errorf("information about the server: %w", errors.ErrUnsupported)
	}
	servers, err := source.ServerInfo(ctx)
	infos := make(map[string]serverInfo, len(servers))
	for address, info := range servers {
		infos[address] = info
	}
	return infos, err
}

// servers calls check for each server.
func (d *diagnosis) servers(ctx context.Context, check func(server string, info serverInfo)) {
	start := time.Now()
	infos, err := d.store.serverInfos(ctx)
	took := time.Since(start)
	if errors.Is(err, errors.ErrUnsupported) {
		d.add(outcomeSkipped, "server", err.Error(), "")
		return
	}
	if err != nil {
		d.add(outcomeWarning, "server", "it does not return information about itself: "+err.Error(), "permit INFO, or check its settings by hand")
		return
	}
	for _, server := range slices.Sorted(maps.Keys(infos)) {
		check(server, infos[server])
		d.clock(server, infos[server], start.Add(took/2), took)
	}
}

// maxSkew is the difference of clocks from which it is a warning.
const maxSkew = 2 * time.Second

// clock compares the clock of a server with that of this machine at the moment now. took is
// the duration of the call.
func (d *diagnosis) clock(server string, info serverInfo, now time.Time, took time.Duration) {
	var at time.Time
	if us := info.number("server_time_usec"); us > 0 { // Redis
		at = time.UnixMicro(int64(us))
	} else if s := info.number("time"); s > 0 { // memcached, in whole seconds
		at = time.Unix(int64(s), 0).Add(time.Second / 2)
	} else {
		d.add(outcomeSkipped, "clock", server+" does not report its time", "")
		return
	}
	skew := at.Sub(now)
	if skew.Abs() <= maxSkew+took {
		d.add(outcomeOK, "clock", fmt.Sprintf("the clock of %s differs by less than %v", server, maxSkew), "")
		return
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	d.add(outcomeWarning, "clock", fmt.Sprintf("the clock of %s is %v %s this machine's", server, skew.Abs().Round(time.Second), direction),
		"synchronize both clocks (NTP): times of expiry in dumps and in entries of package loader are absolute")
}

// redis checks one Redis server.
func (d *diagnosis) redis(server string, info serverInfo) {
	if info["role"] == "slave" {
		d.add(outcomeProblem, "role", server+" is a replica: writes fail", "configure the primary, or sentinels with CACHE_TYPE=redissentinel")
	}
	if info["cluster_enabled"] == "1" && !d.config.Has("CACHE_REDIS_CLUSTER") {
		d.add(outcomeWarning, "role", server+" is a node of a cluster, configured as one server", "set CACHE_TYPE=rediscluster and CACHE_REDIS_CLUSTER")
	}
	for _, field := range []string{"rdb_last_bgsave_status", "aof_last_write_status"} {
		if info[field] == "err" {
			d.add(outcomeProblem, "persistence", fmt.Sprintf("%s cannot write to its disk (%s): it may refuse writes", server, field),
				"free its disk, or turn persistence off for a cache: CONFIG SET save '' and appendonly no")
		}
	}
	d.eviction(server, info)
	d.connections(server, info.number("connected_clients"), info.number("maxclients"), "raise maxclients, or lower pool_size")
}

// eviction checks whether a Redis server stays within its memory, and how.
func (d *diagnosis) eviction(server string, info serverInfo) {
	const configure = "CONFIG SET maxmemory 1gb and maxmemory-policy allkeys-lru, and the same in redis.conf"
	policy, limit, used := info["maxmemory_policy"], info.number("maxmemory"), info.number("used_memory")
	keys, expiring := keyspace(info)
	about := fmt.Sprintf("%s has maxmemory-policy %s, maxmemory %s, used %s", server, policy, withUnit(int64(limit)), withUnit(int64(used)))
	switch {
	case policy == "" || math.IsNaN(limit):
		d.add(outcomeSkipped, "eviction", server+" does not report its eviction policy", "")
	case limit == 0:
		d.add(outcomeWarning, "eviction", fmt.Sprintf("%s has no maxmemory: it grows until the system ends it", server), configure)
	case policy == "noeviction" && used > 0.9*limit:
		d.add(outcomeProblem, "eviction", about+": nearly full, and then every write fails", configure)
	case policy == "noeviction":
		d.add(outcomeWarning, "eviction", about+": once full, every write fails", configure)
	case strings.HasPrefix(policy, "volatile-") && (keys > expiring || d.withoutTTL > 0):
		d.add(outcomeWarning, "eviction", fmt.Sprintf("%s: only entries with a TTL are evicted, and %d of %d keys have none", about, keys-expiring, keys),
			"CONFIG SET maxmemory-policy allkeys-lru, or store with a timeout")
	default:
		d.add(outcomeOK, "eviction", about, "")
	}
}

// keyspace returns the number of keys in all databases of a Redis server, and of those
// with a TTL: lines such as db0:keys=3,expires=1,avg_ttl=0.
func keyspace(info serverInfo) (keys, expiring int64) {
	for name, text := range info {
		if digits, isDB := strings.CutPrefix(name, "db"); !isDB || strings.Trim(digits, "0123456789") != "" {
			continue
		}
		for part := range strings.SplitSeq(text, ",") {
			field, value, _ := strings.Cut(part, "=")
			n, _ := strconv.ParseInt(value, 10, 64)
			switch field {
			case "keys":
				keys += n
			case "expires":
				expiring += n
			}
		}
	}
	return keys, expiring
}

// memcached checks one memcached server.
func (d *diagnosis) memcached(server string, info serverInfo) {
	evictions, limit := info.number("evictions"), info.number("limit_maxbytes")
	about := fmt.Sprintf("%s uses %s of %s", server, withUnit(int64(info.number("bytes"))), withUnit(int64(limit)))
	switch {
	case math.IsNaN(limit):
		d.add(outcomeSkipped, "eviction", server+" does not report its memory", "")
	case evictions > 0:
		d.add(outcomeWarning, "eviction", fmt.Sprintf("%s and has evicted %.0f entries before they expired", about, evictions),
			"start memcached with more memory (-m), or store with shorter timeouts")
	default:
		d.add(outcomeOK, "eviction", about+" and has evicted nothing", "")
	}
	d.connections(server, info.number("curr_connections"), info.number("max_connections"), "start memcached with more connections (-c), or lower pool_size")
	if n := info.number("listen_disabled_num"); n > 0 {
		d.add(outcomeWarning, "connections", fmt.Sprintf("%s has refused to accept connections %.0f times because it had too many", server, n), "start memcached with more connections (-c), or lower pool_size")
	}
}

func (d *diagnosis) connections(server string, used, limit float64, remedy string) {
	switch {
	case math.IsNaN(used) || math.IsNaN(limit):
	case used > 0.8*limit:
		d.add(outcomeWarning, "connections", fmt.Sprintf("%s has %.0f of at most %.0f connections", server, used, limit), remedy)
	default:
		d.add(outcomeOK, "connections", fmt.Sprintf("%s has %.0f of at most %.0f connections", server, used, limit), "")
	}
}
