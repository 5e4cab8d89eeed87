package redis

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// startFakeCluster starts two nodes, of which the first has the lower half of the slots.
// answer gets the number of the node.
func startFakeCluster(t *testing.T, answer func(node int, args []string) string) [2]*fake {
	var nodes [2]*fake
	half := func(from, to int, f *fake) string {
		_, port, _ := net.SplitHostPort(f.addr)
		return fmt.Sprintf("*3\r\n:%d\r\n:%d\r\n*2\r\n$9\r\n127.0.0.1\r\n:%s\r\n", from, to, port)
	}
	var started sync.WaitGroup
	started.Add(1)
	for node := range nodes {
		nodes[node] = startFake(t, func(_ int, args []string) string {
			started.Wait()
			if args[0] == "cluster" {
				return "*2\r\n" + half(0, slots/2-1, nodes[0]) + half(slots/2, slots-1, nodes[1])
			}
			return answer(node, args)
		})
	}
	started.Done()
	return nodes
}

// keysByNode returns n keys of each node.
func keysByNode(n int) (keys [2][]string) {
	for i := 0; len(keys[0]) < n || len(keys[1]) < n; i++ {
		key := fmt.Sprint("k", i)
		node := int(checksum(0, key)) % slots / (slots / 2)
		if len(keys[node]) < n {
			keys[node] = append(keys[node], key)
		}
	}
	return keys
}

// While a node does not reply, calls for another node share their round trips as always.
func TestSlowNodeDelaysOnlyItsOwn(t *testing.T) {
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	const callers = 32
	nodes := startFakeCluster(t, func(node int, args []string) string {
		if args[0] != "get" {
			return ""
		}
		if node == 1 {
			<-released
		}
		return fmt.Sprintf("$%d\r\n%s\r\n", len(args[1]), args[1]) // the key
	})
	b := start(t, Options{Cluster: []string{nodes[0].addr}, ReadTimeout: ample, PoolSize: callers})
	b.pipelines.maxAlone = -1
	t.Cleanup(release)
	keys := keysByNode(callers)
	if err := b.Set(t.Context(), keys[0][0], nil, 0); err != nil { // reads the map
		t.Fatal(err)
	}
	var slow sync.WaitGroup
	for _, key := range keys[1] {
		slow.Go(func() {
			if v, ok, err := b.Get(t.Context(), key); string(v) != key || !ok || err != nil {
				t.Errorf("Get(%q) = %q, %v, %v", key, v, ok, err)
			}
		})
	}
	waitFor(t, "a batch of the slow node", func() bool { return nodes[1].count("get") > 0 })
	var fast sync.WaitGroup
	for _, key := range keys[0] {
		fast.Go(func() {
			for range 20 {
				if v, ok, err := b.Get(soon(t, ample), key); string(v) != key || !ok || err != nil {
					t.Errorf("Get(%q) = %q, %v, %v", key, v, ok, err)
				}
			}
		})
	}
	fast.Wait()
	if n := nodes[0].count("conns"); n > 3 { // of two batches, and of the map
		t.Errorf("%d connections to the node that replies: its callers do not share round trips", n)
	}
	release()
	slow.Wait()
}

// Pipelines of nodes that have left the cluster are removed. The pipeline of a node stays the
// same while others are used: otherwise its callers would not share round trips.
func TestPipelinesOfFormerNodes(t *testing.T) {
	b := start(t, Options{Cluster: []string{"127.0.0.1:1"}})
	first := b.pipelines.of("node0")
	for i := range 3 * maxNodes {
		if b.pipelines.of(fmt.Sprint("node", i)) == nil {
			t.Fatal("no pipeline")
		}
		if i < maxNodes && b.pipelines.of("node0") != first {
			t.Fatalf("after %d other nodes, the pipeline of a node is another one", i)
		}
	}
	if n := len(*b.pipelines.byNode.Load()); n > maxNodes {
		t.Errorf("%d pipelines after calls for former nodes; want at most %d", n, maxNodes)
	}
	if b.pipelines.of("") != nil {
		t.Error("a pipeline of an unknown node")
	}
}

func TestKeyOf(t *testing.T) {
	ctx := t.Context()
	for want, cmd := range map[string]goredis.Cmder{
		"get":    getCmd(ctx, "get"),
		"set":    once(new(Backend).setCmd(ctx, "set", []byte("v"), nil)),
		"plan":   withEndOfLease(ctx, once(new(Backend).setCmd(ctx, "plan", nil, nil)), "plan", 1),
		"script": once(goredis.NewCmd(ctx, eval("return 1", []string{"script", "other"}, "arg")...)),
		"":       goredis.NewCmd(ctx, "ping"),
	} {
		if got := keyOf(cmd); got != want {
			t.Errorf("%v: %q; want %q", cmd, got, want)
		}
	}
}

// The place of a key is known as soon as the map of the cluster is.
func TestPlace(t *testing.T) {
	nodes := startFakeCluster(t, func(int, []string) string { return "" })
	b := start(t, Options{Cluster: []string{nodes[1].addr}})
	keys := keysByNode(3)
	if place := b.Place(keys[0][0]); place != "" || nodes[1].count("conns") != 0 {
		t.Errorf("before the first call, the place is %q after %d connections", place, nodes[1].count("conns"))
	}
	if err := b.Set(t.Context(), keys[0][0], nil, 0); err != nil {
		t.Fatal(err)
	}
	for node := range nodes {
		for _, key := range keys[node] {
			if place := b.Place(key); place != nodes[node].addr {
				t.Errorf("Place(%q) = %q; want %q", key, place, nodes[node].addr)
			}
		}
	}
	one := start(t, Options{Addr: nodes[0].addr})
	if _, _, err := one.Get(t.Context(), "k"); errors.Is(err, cache.ErrUnavailable) {
		t.Error(err)
	}
	if place := one.Place("k"); place != "" {
		t.Errorf("the place in one server is %q", place)
	}
}
