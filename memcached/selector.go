package memcached

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
)

// address is a server by its name, which is looked up when it is dialled: at the
// start it need not be known yet.
type address struct{ network, addr string }

func (a *address) Network() string { return a.network }
func (a *address) String() string  { return a.addr }

// servers picks a server by the hash of the key.
type servers struct {
	addrs []net.Addr
	place func(key []byte) int
}

// newSelector makes the selector that o describes.
func newSelector(o Options) memcache.ServerSelector {
	if o.Selector != nil {
		return o.Selector
	}
	s := &servers{addrs: make([]net.Addr, len(o.Servers))}
	for i, server := range o.Servers {
		s.addrs[i] = &address{"tcp", server}
		if isPath(server) {
			s.addrs[i] = &address{"unix", server}
		}
	}
	n := uint32(len(o.Servers))
	switch o.Distribution {
	case GoMemcache:
		s.place = func(key []byte) int { return int(crc32.ChecksumIEEE(key) % n) }
	case PythonMemcached:
		s.place = func(key []byte) int { return int(max(crc32.ChecksumIEEE(key)>>16&0x7fff, 1) % n) }
	default:
		s.place = newRing(o.Servers, o.Distribution == KetamaWeighted).place
	}
	return s
}

// PickServer returns the server of key.
func (s *servers) PickServer(key string) (net.Addr, error) {
	if len(s.addrs) == 1 {
		return s.addrs[0], nil
	}
	return s.addrs[s.place(unsafe.Slice(unsafe.StringData(key), len(key)))], nil
}

// Each calls do for every server once.
func (s *servers) Each(do func(net.Addr) error) error {
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

// ring is libmemcached's ketama: every server has many points on a circle, and a
// key belongs to the server of the next one.
type ring struct {
	points []point
	hash   func([]byte) uint32 // of keys
}

type point struct {
	hash   uint32
	server int
}

// Points per server, as libmemcached has them. With weights it takes MD5 instead of
// its default hash, and four points from each digest.
const (
	pointsPlain    = 100
	pointsWeighted = 160
	pointsOfDigest = md5.Size / 4
)

func newRing(servers []string, weighted bool) ring {
	weights := make(map[string]int, len(servers))
	for _, server := range servers {
		weights[server]++
	}
	r := ring{hash: oneAtATime}
	if weighted {
		r.hash = func(key []byte) uint32 { digest := md5.Sum(key); return binary.LittleEndian.Uint32(digest[:]) }
	}
	for i, server := range servers {
		if slices.Contains(servers[:i], server) {
			continue
		}
		name := server
		if host, port, err := net.SplitHostPort(server); err == nil && port == defaultPort {
			name = host
		}
		if !weighted {
			for n := range pointsPlain {
				r.points = append(r.points, point{oneAtATime([]byte(name + "-" + strconv.Itoa(n))), i})
			}
			continue
		}
		share := float32(weights[server]) / float32(len(servers))
		digests := int(math.Floor(float64(share*pointsWeighted/pointsOfDigest*float32(len(weights))) + 1e-10))
		for n := range digests {
			digest := md5.Sum([]byte(name + "-" + strconv.Itoa(n)))
			for p := range pointsOfDigest {
				r.points = append(r.points, point{binary.LittleEndian.Uint32(digest[4*p:]), i})
			}
		}
	}
	slices.SortStableFunc(r.points, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
	return r
}

func (r ring) place(key []byte) int {
	i, _ := slices.BinarySearchFunc(r.points, r.hash(key), func(p point, hash uint32) int { return cmp.Compare(p.hash, hash) })
	if i == len(r.points) {
		i = 0
	}
	return r.points[i].server
}

// oneAtATime is Bob Jenkins's hash with the signed bytes of libmemcached.
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
