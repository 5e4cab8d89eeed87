package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// tracking replies as a server that supports RESP3, or as answer does.
func tracking(answer func(n int, args []string) string) func(int, []string) string {
	return func(n int, args []string) string {
		if answer != nil {
			if reply := answer(n, args); reply != "" {
				return reply
			}
		}
		if strings.EqualFold(args[0], "hello") {
			return "%3\r\n+server\r\n+redis\r\n+proto\r\n:3\r\n+modules\r\n*0\r\n"
		}
		return ""
	}
}

// push sends a notification on all connections.
func (f *fake) push(text string) {
	f.conns.Range(func(conn, _ any) bool { io.WriteString(conn.(net.Conn), text); return true })
}

// invalidation reports the changes of keys.
func invalidation(keys ...string) string {
	text := fmt.Sprintf(">2\r\n$10\r\ninvalidate\r\n*%d\r\n", len(keys))
	for _, key := range keys {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(key), key)
	}
	return text
}

// watching is a call of Watch that a test follows.
type watching struct {
	ready   chan struct{}
	changed chan string
	ended   chan error
	cancel  context.CancelFunc
}

func startWatch(t *testing.T, b *Backend, prefix string, grace time.Duration) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{make(chan struct{}), make(chan string, 1000), make(chan error, 1), cancel}
	var wait sync.WaitGroup
	wait.Go(func() {
		w.ended <- b.Watch(ctx, prefix, grace, driver.Notices{
			Ready:   func() { close(w.ready) },
			Changed: func(key string) { w.changed <- key },
		})
	})
	t.Cleanup(func() { cancel(); wait.Wait() })
	return w
}

func (w *watching) waitReady(t *testing.T) {
	t.Helper()
	select {
	case <-w.ready:
	case err := <-w.ended:
		t.Fatal("Watch ended: ", err)
	case <-time.After(ample):
		t.Fatal("Watch does not become ready")
	}
}

// end returns the error of Watch.
func (w *watching) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(ample):
		t.Fatal("Watch does not end")
		return nil
	}
}

func (w *watching) expect(t *testing.T, keys ...string) {
	t.Helper()
	for _, want := range keys {
		select {
		case got := <-w.changed:
			if got != want {
				t.Fatalf("%q changed; want %q", got, want)
			}
		case err := <-w.ended:
			t.Fatalf("Watch ended before %q: %v", want, err)
		case <-time.After(ample):
			t.Fatalf("no notice of %q", want)
		}
	}
}

func TestWatch(t *testing.T) {
	serverTLS, clientTLS := certificates(t)
	for name, tt := range map[string]struct {
		o        Options
		tls      *tls.Config
		borrow   bool
		commands string // before the watch is ready
	}{
		"one server":  {Options{}, nil, false, "hello 3, ping, ping, HELLO 3"},
		"TLS":         {Options{TLS: clientTLS}, serverTLS, false, "hello 3, ping, ping, HELLO 3"},
		"login":       {Options{Username: "u", Password: cache.Secret("p"), DB: 3}, nil, false, "hello 3 auth u p, select 3, ping, ping, HELLO 3"},
		"application": {Options{}, nil, true, "hello 3, ping, HELLO 3"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var received []string
			answer := tracking(func(_ int, args []string) string {
				mu.Lock()
				defer mu.Unlock()
				received = append(received, strings.Join(args, " "))
				return ""
			})
			f := startFake(t, answer)
			if tt.tls != nil {
				f = startFakeTLS(t, tt.tls, answer)
			}
			var b *Backend
			if tt.borrow {
				b = borrow(t, goredis.NewClient(&goredis.Options{Addr: f.addr, DisableIdentity: true}))
			} else {
				tt.o.Addr = f.addr
				b = start(t, tt.o)
			}
			w := startWatch(t, b, "p:", ample)
			w.waitReady(t)
			mu.Lock()
			if got, want := strings.Join(received, ", "), tt.commands+", CLIENT TRACKING ON BCAST PREFIX p:"; got != want {
				t.Errorf("sent %q; want %q", got, want)
			}
			mu.Unlock()
			f.push(invalidation("p:a", "p:\r\n", "") + ">2\r\n+other\r\n%1\r\n$1\r\na\r\n*1\r\n_\r\n")
			f.push(invalidation(leaseName("p:a"), "p:b") + invalidation())
			w.expect(t, "p:a", "p:\r\n", "", "p:b")
			w.cancel()
			if err := w.end(t); err != context.Canceled {
				t.Errorf("%v; want the error of the context itself", err)
			}
			if n := f.count("conns"); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestWatchOfEverything(t *testing.T) {
	f := startFake(t, tracking(func(_ int, args []string) string {
		if args[0] == "CLIENT" && strings.Join(args, " ") != "CLIENT TRACKING ON BCAST" {
			return "-ERR syntax error\r\n"
		}
		return ""
	}))
	startWatch(t, start(t, Options{Addr: f.addr}), "", ample).waitReady(t)
}

// Watch ends when changes may have been missed.
func TestWatchEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		disturb func(f *fake, b *Backend)
		want    error
	}{
		"flush":            {func(f *fake, _ *Backend) { f.push(">2\r\n$10\r\ninvalidate\r\n_\r\n") }, errFlushed},
		"flush, old":       {func(f *fake, _ *Backend) { f.push(">2\r\n$10\r\ninvalidate\r\n*-1\r\n") }, errFlushed},
		"flush, $-1":       {func(f *fake, _ *Backend) { f.push(">2\r\n$10\r\ninvalidate\r\n$-1\r\n") }, errFlushed},
		"broken":           {func(f *fake, _ *Backend) { f.dropAll() }, cache.ErrUnavailable},
		"malformed":        {func(f *fake, _ *Backend) { f.push("?\r\n") }, cache.ErrUnavailable},
		"not a list":       {func(f *fake, _ *Backend) { f.push(">2\r\n$10\r\ninvalidate\r\n:1\r\n") }, cache.ErrUnavailable},
		"not a key":        {func(f *fake, _ *Backend) { f.push(">2\r\n$10\r\ninvalidate\r\n*1\r\n:1\r\n") }, cache.ErrUnavailable},
		"unexpected reply": {func(f *fake, _ *Backend) { f.push(":1\r\n") }, cache.ErrUnavailable},
		"error reply":      {func(f *fake, _ *Backend) { f.push("-NOAUTH Authentication required.\r\n") }, cache.ErrAuth},
		"closed":           {func(_ *fake, b *Backend) { b.Close() }, cache.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, tracking(nil))
			b := start(t, Options{Addr: f.addr})
			w := startWatch(t, b, "p", ample)
			w.waitReady(t)
			tt.disturb(f, b)
			if err := w.end(t); !errors.Is(err, tt.want) {
				t.Errorf("%v; want %v", err, tt.want)
			}
		})
	}
}

// A server that sends reports but does not reply is behind: Watch ends within grace.
func TestWatchOfStalledServer(t *testing.T) {
	for _, reports := range []bool{false, true} {
		var asked atomic.Int32
		f := startFake(t, tracking(func(n int, args []string) string {
			if args[0] == "PING" && asked.Add(1) > 2 {
				if !reports {
					return silence
				}
				return invalidation("p")
			}
			return ""
		}))
		const grace = 200 * time.Millisecond
		w := startWatch(t, start(t, Options{Addr: f.addr}), "p", grace)
		w.waitReady(t)
		if err := w.end(t); !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "timed out") {
			t.Errorf("reports %v: %v; want a timeout", reports, err)
		}
		if n := asked.Load(); n < 1 || n > 3 {
			t.Errorf("reports %v: asked %d times", reports, n)
		}
	}
}

func TestWatchUnsupported(t *testing.T) {
	for name, tt := range map[string]struct {
		command, reply string
		want           error
		unsupported    bool
	}{
		"no RESP3":      {"HELLO", "-NOPROTO unsupported protocol version\r\n", errors.ErrUnsupported, true},
		"no HELLO":      {"hello", "-ERR unknown command 'hello'\r\n", errors.ErrUnsupported, true},
		"no tracking":   {"CLIENT", "-ERR unknown subcommand 'TRACKING'. Try CLIENT HELP.\r\n", errors.ErrUnsupported, true},
		"no permission": {"CLIENT", "-NOPERM this user has no permissions to run the 'client|tracking' command\r\n", errors.ErrUnsupported, true},
		"loading":       {"CLIENT", loading, cache.ErrUnavailable, false},
		"wrong login":   {"hello", "-WRONGPASS invalid username-password pair\r\n", cache.ErrAuth, false},
		"hang up":       {"CLIENT", hangUp, cache.ErrUnavailable, false},
	} {
		f := startFake(t, tracking(func(_ int, args []string) string {
			switch {
			case args[0] == tt.command, name == "no HELLO" && args[0] == "HELLO":
				return tt.reply
			case args[0] == "auth":
				return tt.reply
			}
			return ""
		}))
		o := Options{Addr: f.addr}
		if name == "wrong login" {
			o.Password = cache.Secret("p")
		}
		b := start(t, o)
		err := b.Watch(t.Context(), "p", ample, driver.Notices{
			Ready:   func() { t.Error(name, ": ready") },
			Changed: func(string) {},
		})
		if !errors.Is(err, tt.want) || driver.IsUnsupported(err) != tt.unsupported {
			t.Errorf("%s: %v; want %v", name, err, tt.want)
		}
	}
	b := start(t, Options{Addr: "127.0.0.1:1"})
	if err := b.Watch(t.Context(), "", ample, driver.Notices{}); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("nothing listens: %v", err)
	}
}

// A server that accepts connections and does not reply does not hold a cancelled Watch.
func TestWatchIsCancelledBeforeReady(t *testing.T) {
	for _, command := range []string{"hello", "ping", "HELLO", "CLIENT"} {
		f := startFake(t, tracking(func(_ int, args []string) string {
			if args[0] == command {
				return silence
			}
			return ""
		}))
		w := startWatch(t, start(t, Options{Addr: f.addr, ReadTimeout: 10 * ample, DialTimeout: 10 * ample}), "p", ample)
		waitFor(t, command, func() bool { return f.count(strings.ToLower(command)) > strings.Count("HELLO", command) })
		w.cancel()
		if err := w.end(t); err != context.Canceled {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// Watch ends when the cluster has another primary, although the old one replies.
func TestWatchOfCluster(t *testing.T) {
	t.Parallel() // it waits for an interval
	var primary atomic.Pointer[fake]
	answer := tracking(func(n int, args []string) string {
		if args[0] != "cluster" {
			return ""
		}
		return healthy(func() string { return primary.Load().addr })(n, args)
	})
	before, after := startFake(t, answer), startFake(t, answer)
	primary.Store(before)
	w := startWatch(t, start(t, Options{Cluster: []string{before.addr}}), "p", ample/2)
	w.waitReady(t)
	primary.Store(after)
	if err := w.end(t); !errors.Is(err, errMoved) {
		t.Errorf("%v; want %v", err, errMoved)
	}
	if before.count("client") != 1 || after.count("client") != 0 {
		t.Errorf("%d watches of the old primary, %d of the new one", before.count("client"), after.count("client"))
	}
}

// When Watch becomes ready, the Backend has no connection to an old primary, although the
// driver has not been told that there is another one.
func TestWatchClosesConnectionsToOldPrimary(t *testing.T) {
	before, after := startFake(t, tracking(nil)), startFake(t, tracking(nil))
	var primary atomic.Pointer[fake]
	primary.Store(before)
	sentinel := startFake(t, naming(&primary))
	b := start(t, Options{Sentinels: []string{sentinel.addr}})
	if err := b.Set(t.Context(), "k", nil, 0); err != nil {
		t.Fatal(err)
	}
	primary.Store(after)
	startWatch(t, b, "p", ample).waitReady(t)
	if err := b.Set(t.Context(), "k", nil, 0); err != nil {
		t.Fatal(err)
	}
	if before.count("set") != 1 || after.count("set") != 1 {
		t.Errorf("%d writes to the old primary, %d to the new one; want 1 and 1", before.count("set"), after.count("set"))
	}
	waitFor(t, "the end of all connections to the old primary", func() bool { return before.open() == 0 })
}

// naming replies as a sentinel that names a primary.
func naming(primary *atomic.Pointer[fake]) func(int, []string) string {
	return func(_ int, args []string) string {
		if args[0] != "sentinel" {
			return ""
		}
		if args[1] != "get-master-addr-by-name" {
			return "*0\r\n"
		}
		host, port, _ := net.SplitHostPort(primary.Load().addr)
		return fmt.Sprintf("*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(host), host, len(port), port)
	}
}

// Watch ends when the sentinels name another primary, although the old one replies.
func TestWatchWithSentinels(t *testing.T) {
	t.Parallel() // it waits for an interval
	before, after := startFake(t, tracking(nil)), startFake(t, tracking(nil))
	for _, replicas := range []bool{false, true} {
		var primary atomic.Pointer[fake]
		primary.Store(before)
		sentinel := startFake(t, naming(&primary))
		w := startWatch(t, start(t, Options{Sentinels: []string{sentinel.addr, "127.0.0.1:1"}, ReadFromReplicas: replicas}), "p", ample/2)
		w.waitReady(t)
		if replicas {
			before.push(invalidation("p:a"))
			w.expect(t, "p:a")
		}
		primary.Store(after)
		if err := w.end(t); !errors.Is(err, errMoved) {
			t.Errorf("replicas %v: %v; want %v", replicas, err, errMoved)
		}
	}
}
