//go:build !race

package integration

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/cachebackends/cachebackends/conformance/proxy"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/memcached"
	"github.com/cachebackends/cachebackends/redis"
	"github.com/cachebackends/cachebackends/uwsgi"
)

// Regressions of speed show here as work that is counted, and never as time. A limit
// is what was counted when it was written; who does with less lowers it. The race
// detector allocates, too, and is left out.
type work struct {
	addr                                   string
	open                                   func(addr string) (cache.Backend, error)
	allocs                                 float64 // of a hit
	sent, received                         int64   // bytes of a hit
	get, set, getMany, setMany, deleteMany int64   // round trips
}

const workKeys = 100 // of a batch

func TestWorkRedis(t *testing.T) {
	work{
		addr: servers.StartRedis(t, "").Addrs[0],
		open: func(addr string) (cache.Backend, error) {
			return redis.New(t.Context(), patientRedis(redis.Options{Addr: addr}))
		},
		allocs: 3, sent: 40, received: 17,
		get: 1, set: 1, getMany: 1, setMany: 1, deleteMany: 1,
	}.check(t)
}

func TestWorkMemcached(t *testing.T) {
	work{
		addr: servers.StartMemcached(t, 1, "").Addrs[0],
		open: func(addr string) (cache.Backend, error) {
			return memcached.New(t.Context(), patientMemcached(memcached.Options{Servers: []string{addr}}))
		},
		allocs: 1, sent: 26, received: 50,
		get: 1, set: 1, getMany: 1, setMany: 1, deleteMany: 1,
	}.check(t)
}

// A request of uWSGI has a connection of its own, and a delete asks first.
func TestWorkUwsgi(t *testing.T) {
	work{
		addr: servers.StartUwsgi(t, "").Addr,
		open: func(addr string) (cache.Backend, error) {
			return uwsgi.New(t.Context(), uwsgi.Options{Addr: addr, MaxValue: servers.UwsgiBlockSize})
		},
		allocs: 25, sent: 41, received: 58,
		get: 1, set: 1, getMany: workKeys, setMany: workKeys, deleteMany: 2 * workKeys,
	}.check(t)
}

func (w work) check(t *testing.T) {
	t.Helper()
	between, err := proxy.New(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { between.Close() })
	var keys []string
	items := map[string][]byte{}
	for i := range workKeys {
		key := fmt.Sprintf("key:%016x", i)
		keys, items[key] = append(keys, key), make([]byte, 10)
	}
	hit := func(c *cache.Cache) error {
		_, ok, err := c.Get(t.Context(), keys[0])
		if err == nil && !ok {
			err = errors.New("a miss")
		}
		return err
	}

	b, err := w.open(between.Addr())
	c := opened(t, b, err)
	if err := c.SetMany(t.Context(), items); err != nil { // connects
		t.Fatal(err)
	}
	for _, op := range []struct {
		name  string
		trips int64
		do    func() error
	}{
		{"Get", w.get, func() error { return hit(c) }},
		{"Set", w.set, func() error { return c.Set(t.Context(), keys[0], items[keys[0]]) }},
		{"GetMany", w.getMany, func() error { _, err := c.GetMany(t.Context(), keys...); return err }},
		{"SetMany", w.setMany, func() error { return c.SetMany(t.Context(), items) }},
		{"DeleteMany", w.deleteMany, func() error { _, err := c.DeleteMany(t.Context(), keys...); return err }},
	} {
		_, tripsBefore, sentBefore, receivedBefore := between.Counts()
		if err := op.do(); err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		_, trips, sent, received := between.Counts()
		trips, sent, received = trips-tripsBefore, sent-sentBefore, received-receivedBefore
		t.Logf("%s: %d round trips, %d bytes sent, %d received", op.name, trips, sent, received)
		if trips == 0 || trips > op.trips {
			t.Errorf("%s: %d round trips; want %d", op.name, trips, op.trips)
		}
		if op.name == "Get" && (sent > w.sent || received > w.received) {
			t.Errorf("%s: %d bytes sent, %d received; want at most %d, %d", op.name, sent, received, w.sent, w.received)
		}
	}

	b, err = w.open(w.addr) // not in this process, which counts for the proxy, too
	c = opened(t, b, err)
	if err := c.SetMany(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(1000, func() {
		if err := hit(c); err != nil {
			t.Error(err)
		}
	})
	t.Logf("a hit: %v allocations", allocs)
	if allocs > w.allocs {
		t.Errorf("a hit: %v allocations; want at most %v", allocs, w.allocs)
	}
}
