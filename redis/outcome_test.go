package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// Rule OUT-1 of the contract: if a connection ends while it is set up, no command was
// sent.
func TestSetUpFails(t *testing.T) {
	serverTLS, clientTLS := certificates(t)
	for _, encrypted := range []bool{false, true} {
		for _, at := range []string{"hello", "select", "ping"} {
			for _, how := range []string{hangUp, partial + "$100\r\nx", "?\r\n", "$-1\r\n"} {
				if at == "ping" && how == "$-1\r\n" {
					continue // is a reply to PING
				}
				t.Run(fmt.Sprintf("tls=%v/%s/%.4q", encrypted, at, how), func(t *testing.T) {
					answer := on(at, always(how))
					f, client := (*fake)(nil), (*tls.Config)(nil)
					if encrypted {
						f, client = startFakeTLS(t, serverTLS, answer), clientTLS
					} else {
						f = startFake(t, answer)
					}
					for name, b := range map[string]*Backend{
						"own":     start(t, Options{Addr: f.addr, TLS: client, DB: 1, AllowFlush: true}),
						"sharing": alwaysSharing(start(t, Options{Addr: f.addr, TLS: client, DB: 1, AllowFlush: true})),
						"borrowed": borrow(t, goredis.NewClient(&goredis.Options{Addr: f.addr, TLSConfig: client, DB: 1,
							MinRetryBackoff: -1, PipelinePoolSize: -1})),
					} {
						if name == "borrowed" && (at == "ping" || at == "hello" && how == "$-1\r\n") {
							continue // a client without OnConnect does not send it, or goes on without HELLO
						}
						if at == "hello" && how == "$-1\r\n" {
							continue
						}
						for _, v := range verbs {
							err := v.call(soon(t, ample), b)
							if errors.Is(err, cache.ErrUnknownOutcome) || !errors.Is(err, cache.ErrUnavailable) {
								t.Errorf("%s, %s: %v; want ErrUnavailable", name, v.name, err)
							}
						}
					}
				})
			}
		}
	}
}

func alwaysSharing(b *Backend) *Backend {
	b.pipeline.MaxAlone = -1
	return b
}

// The same on a cluster, whose map comes from another node.
func TestSetUpOfNodeFails(t *testing.T) {
	for _, how := range []string{hangUp, partial + "$100\r\nx", "?\r\n"} {
		node := startFake(t, on("hello", always(how)))
		directory := startFake(t, healthy(func() string { return node.addr }))
		for name, b := range map[string]*Backend{
			"own": start(t, Options{Cluster: []string{directory.addr}, AllowFlush: true}),
			"borrowed": borrow(t, goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{directory.addr},
				MinRetryBackoff: -1, MaxRetryBackoff: -1, PipelinePoolSize: -1})),
		} {
			for _, v := range verbs {
				err := v.call(soon(t, ample), b)
				if errors.Is(err, cache.ErrUnknownOutcome) || !errors.Is(err, cache.ErrUnavailable) {
					t.Errorf("%.4q, %s, %s: %v; want ErrUnavailable", how, name, v.name, err)
				}
			}
		}
	}
}

// A write whose reply is lost on a cluster was sent.
func TestLostReplyOfNode(t *testing.T) {
	for _, v := range verbs {
		if !v.write {
			continue
		}
		f := startHealthy(t, nil)
		f.answer = func(n int, args []string) string {
			if strings.EqualFold(args[0], v.command) {
				return hangUp
			}
			return healthy(func() string { return f.addr })(n, args)
		}
		for name, b := range map[string]*Backend{
			"own": start(t, Options{Cluster: []string{f.addr}, AllowFlush: true}),
			"borrowed": borrow(t, goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{f.addr},
				MinRetryBackoff: -1, MaxRetryBackoff: -1, PipelinePoolSize: -1})),
			"replicas": start(t, Options{Cluster: []string{f.addr}, ReadFromReplicas: true, AllowFlush: true}),
		} {
			for range 2 { // also when the driver knows the map
				if err := v.call(soon(t, ample), b); !errors.Is(err, cache.ErrUnknownOutcome) {
					t.Errorf("%s, %s: %v; want ErrUnknownOutcome", name, v.name, err)
				}
			}
		}
	}
}

// A node that redirects a command has not executed it, so an outage of the other node
// leaves no doubt.
func TestRedirectToNodeThatIsDown(t *testing.T) {
	for _, v := range verbs {
		if !v.write || v.name == "Clear" {
			continue
		}
		f := startHealthy(t, nil)
		f.answer = func(n int, args []string) string {
			if strings.EqualFold(args[0], v.command) {
				return "-MOVED 1 127.0.0.1:1\r\n"
			}
			return healthy(func() string { return f.addr })(n, args)
		}
		b := start(t, Options{Cluster: []string{f.addr}})
		if err := v.call(soon(t, ample), b); errors.Is(err, cache.ErrUnknownOutcome) || !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrUnavailable", v.name, err)
		}
	}
}

// If Inc loses its connection in the empty transaction that it sends first, it has not
// counted.
func TestLostReplyToEmptyTransaction(t *testing.T) {
	f := startFake(t, func(_ int, args []string) string {
		switch args[0] {
		case "eval":
			return "-ERR unknown command 'eval'\r\n"
		case "multi":
			return hangUp
		}
		return ""
	})
	b := start(t, Options{Addr: f.addr})
	if _, err := b.Inc(t.Context(), "k", 1, time.Minute); errors.Is(err, cache.ErrUnknownOutcome) || !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("got %v; want ErrUnavailable", err)
	}
}

// Clear of a prefix says whether it may have removed entries.
func TestLostReplyInClear(t *testing.T) {
	f := startFake(t, func(n int, args []string) string {
		switch args[0] {
		case "scan":
			return "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
		case "unlink":
			return hangUp
		}
		return ""
	})
	b := start(t, Options{Addr: f.addr})
	if err := b.ClearPrefix(t.Context(), ""); !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("lost replies: %v; want ErrUnknownOutcome", err)
	}
}

// A key that cannot be removed makes Clear of a prefix fail, wherever it is in the batch.
func TestRefusedKeyInClear(t *testing.T) {
	f := startFake(t, func(n int, args []string) string {
		switch {
		case args[0] == "scan":
			return "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
		case args[0] == "unlink" && args[1] == "a":
			return ":1\r\n"
		case args[0] == "unlink":
			return "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n"
		}
		return ""
	})
	b := start(t, Options{Addr: f.addr})
	if err := b.ClearPrefix(t.Context(), ""); !errors.Is(err, cache.ErrAuth) {
		t.Errorf("got %v; want ErrAuth", err)
	}
}

// One primary that is down leaves a cluster partly cleared.
func TestClearOfPartOfCluster(t *testing.T) {
	up := startFake(t, on("none", always("")))
	directory := startFake(t, on("cluster", func(int) string {
		return "*2\r\n" + slotRange(t, 0, 8191, up.addr) + slotRange(t, 8192, 16383, "127.0.0.1:1")
	}))
	b := start(t, Options{Cluster: []string{directory.addr}, AllowFlush: true})
	if err := b.Clear(soon(t, ample)); !errors.Is(err, cache.ErrUnknownOutcome) || up.count("flushdb") != 1 {
		t.Errorf("got %v after %d FLUSHDB; want ErrUnknownOutcome", err, up.count("flushdb"))
	}
}
