package wire

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"hash/crc32"
	"math"
	"net"
	"slices"
	"strconv"
	"unsafe"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// DefaultPort is the port of memcached.
const DefaultPort = 11211

// address identifies a server. A host name is resolved when it is dialled.
type address struct{ network, addr string }

func (a *address) Network() string { return a.network }
func (a *address) String() string  { return a.addr }

// selector picks the server of a key by a hash.
type selector struct {
	addrs []net.Addr
	index func(key []byte) int
}

func newSelector(servers []string, index func(key []byte) int) memcache.ServerSelector {
	s := &selector{addrs: make([]net.Addr, len(servers)), index: index}
	for i, server := range servers {
		network := "tcp"
		if remote.IsPath(server) {
			network = "unix"
		}
		s.addrs[i] = &address{network, server}
	}
	return s
}

// GoMemcache distributes keys as github.com/bradfitz/gomemcache does.
func GoMemcache(servers []string) memcache.ServerSelector {
	n := uint32(len(servers))
	return newSelector(servers, func(key []byte) int { return int(crc32.ChecksumIEEE(key) % n) })
}

// PythonMemcached distributes keys as python-memcached does.
func PythonMemcached(servers []string) memcache.ServerSelector {
	n := uint32(len(servers))
	return newSelector(servers, func(key []byte) int { return int(max(crc32.ChecksumIEEE(key)>>16&0x7fff, 1) % n) })
}

// Pylibmc distributes keys as libmemcached does without behaviors: the hash modulo the
// number of servers. The weight of a server is how often it is listed.
func Pylibmc(servers []string) memcache.ServerSelector {
	n := uint32(len(servers))
	return newSelector(servers, func(key []byte) int { return int(oneAtATime(key) % n) })
}

// Ketama distributes keys as libmemcached does with the behavior ketama. A server that
// is listed more than once counts once.
func Ketama(servers []string) memcache.ServerSelector {
	r := ring{hash: oneAtATime}
	for i, server := range servers {
		if slices.Contains(servers[:i], server) {
			continue
		}
		for n := range pointsPlain {
			r.points = append(r.points, point{oneAtATime(pointName(server, n)), i})
		}
	}
	return newSelector(servers, r.sorted().index)
}

// KetamaWeighted distributes keys as libmemcached does with the behavior
// ketama_weighted. The weight of a server is how often it is listed.
func KetamaWeighted(servers []string) memcache.ServerSelector {
	weights := make(map[string]int, len(servers))
	for _, server := range servers {
		weights[server]++
	}
	r := ring{hash: func(key []byte) uint32 { digest := md5.Sum(key); return binary.LittleEndian.Uint32(digest[:]) }}
	for i, server := range servers {
		if slices.Contains(servers[:i], server) {
			continue
		}
		share := float32(weights[server]) / float32(len(servers))
		digests := int(math.Floor(float64(share*pointsWeighted/pointsOfDigest*float32(len(weights))) + 1e-10))
		for n := range digests {
			digest := md5.Sum(pointName(server, n))
			for p := range pointsOfDigest {
				r.points = append(r.points, point{binary.LittleEndian.Uint32(digest[4*p:]), i})
			}
		}
	}
	return newSelector(servers, r.sorted().index)
}

// PickServer returns the server of key.
func (s *selector) PickServer(key string) (net.Addr, error) {
	if len(s.addrs) == 1 {
		return s.addrs[0], nil
	}
	return s.addrs[s.index(unsafe.Slice(unsafe.StringData(key), len(key)))], nil
}

// Each calls do for every server once.
func (s *selector) Each(do func(net.Addr) error) error {
	for i, addr := range s.addrs {
		same := func(other net.Addr) bool { return other.String() == addr.String() }
		if slices.ContainsFunc(s.addrs[:i], same) {
			continue
		}
		if err := do(addr); err != nil {
			return err
		}
	}
	return nil
}

// ring is the consistent hashing of libmemcached: every server has many points on a
// circle, and a key belongs to the server of the next point.
type ring struct {
	points []point
	hash   func(key []byte) uint32
}

type point struct {
	hash   uint32
	server int
}

// Points per server in libmemcached. With weights it hashes by MD5, and each digest
// makes four points.
const (
	pointsPlain    = 100
	pointsWeighted = 160
	pointsOfDigest = md5.Size / 4
)

// pointName is what libmemcached hashes for the n-th point of a server.
func pointName(server string, n int) []byte {
	if host, port, err := net.SplitHostPort(server); err == nil && port == strconv.Itoa(DefaultPort) {
		server = host
	}
	return []byte(server + "-" + strconv.Itoa(n))
}

func (r ring) sorted() ring {
	slices.SortStableFunc(r.points, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
	return r
}

func (r ring) index(key []byte) int {
	i, _ := slices.BinarySearchFunc(r.points, r.hash(key), func(p point, hash uint32) int { return cmp.Compare(p.hash, hash) })
	if i == len(r.points) {
		i = 0
	}
	return r.points[i].server
}

// oneAtATime is the hash of Bob Jenkins with the signed bytes of libmemcached.
func oneAtATime(key []byte) (hash uint32) {
	for _, b := range key {
		hash += uint32(int8(b))
		hash += hash << 10
		hash ^= hash >> 6
	}
	hash += hash << 3
	hash ^= hash >> 11
	return hash + hash<<15
}
