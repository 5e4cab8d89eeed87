package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/uwsgi"
)

func newUwsgi(t *testing.T, o uwsgi.Options) *uwsgi.Backend {
	t.Helper()
	o.MaxValue = servers.UwsgiBlockSize
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = slowMachine, slowMachine, slowMachine
	b, err := uwsgi.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// While the server restarts, calls return ErrUnavailable or, if they were in
// progress, ErrUnknownOutcome. The first call after the restart succeeds.
func TestUWSGIKilled(t *testing.T) {
	busy(t)
	server := servers.StartUwsgi(t, "")
	for name, addr := range map[string]string{"tcp": server.Addr, "unix": server.Socket} {
		t.Run(name, func(t *testing.T) {
			b := newUwsgi(t, uwsgi.Options{Addr: addr, Cache: "first"})
			var callers sync.WaitGroup
			over := make(chan struct{})
			for caller := range 4 {
				callers.Go(func() {
					key := fmt.Sprint("k", caller)
					for {
						select {
						case <-over:
							return
						default:
						}
						err := b.Set(t.Context(), key, []byte("v"), time.Hour)
						if err != nil && !errors.Is(err, cache.ErrUnavailable) && !errors.Is(err, cache.ErrUnknownOutcome) {
							t.Errorf("Set = %v", err)
						}
						value, ok, err := b.Get(t.Context(), key)
						if err != nil && !errors.Is(err, cache.ErrUnavailable) || ok && string(value) != "v" {
							t.Errorf("Get = %q, %v, %v", value, ok, err)
						}
					}
				})
			}
			server.Kill(t)
			if err := b.Set(t.Context(), "after", []byte("v"), time.Hour); err != nil {
				t.Errorf("the first Set after the restart: %v", err)
			}
			if _, ok, err := b.Get(t.Context(), "after"); !ok || err != nil {
				t.Errorf("the first Get after the restart: %v, %v", ok, err)
			}
			close(over)
			callers.Wait()
		})
	}
}

// If all workers are busy, a call ends at its deadline. The outcome of a write is
// then unknown, because a worker may execute it later.
func TestUWSGIWorkersBusy(t *testing.T) {
	timed(t)
	server := servers.StartUwsgi(t, "")
	for name, addr := range map[string]string{"tcp": server.Addr, "unix": server.Socket} {
		t.Run(name, func(t *testing.T) {
			b := newUwsgi(t, uwsgi.Options{Addr: addr, Cache: "first"})
			server.Freeze(t)
			for name, call := range map[string]struct {
				want error
				call func(ctx context.Context) error
			}{
				"Get": {cache.ErrUnavailable, func(ctx context.Context) error { _, _, err := b.Get(ctx, "k"); return err }},
				"Set": {cache.ErrUnknownOutcome, func(ctx context.Context) error { return b.Set(ctx, "k", []byte("late"), time.Hour) }},
			} {
				patiently(t, func(patience time.Duration) error {
					ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
					defer cancel()
					begin := time.Now()
					err := call.call(ctx)
					if took := time.Since(begin); took > 4*patience || !errors.Is(err, call.want) || !errors.Is(err, context.DeadlineExceeded) {
						return fmt.Errorf("%s with %v: %v after %v; want %v", name, 2*patience, err, took, call.want)
					}
					return nil
				})
			}
			server.Thaw(t)
			if err := b.Set(t.Context(), "k", []byte("v"), time.Hour); err != nil {
				t.Errorf("Set after the workers resumed: %v", err)
			}
			if _, ok, err := b.Get(t.Context(), "k"); !ok || err != nil {
				t.Errorf("Get after the workers resumed: %v, %v", ok, err)
			}
		})
	}
}

// A full cache refuses new keys and nothing else. Clear of the first cache makes
// room.
func TestUWSGIFullThenClear(t *testing.T) {
	busy(t)
	server := servers.StartUwsgi(t, "")
	b := newUwsgi(t, uwsgi.Options{Addr: server.Socket, Cache: "first", FirstCache: true, AllowFlush: true})
	ctx := t.Context()
	items := make([]driver.Item, servers.UwsgiItems+3)
	keys := make([]string, len(items))
	for i := range items {
		keys[i] = fmt.Sprint("k", i)
		items[i] = driver.Item{Key: keys[i], Value: []byte("v")}
	}
	err := b.SetMany(ctx, items, time.Hour)
	var batch *cache.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 3 || !errors.Is(err, cache.ErrFull) {
		t.Fatalf("SetMany of 3 items too many: %v", err)
	}
	refused := batch.Failed[0].Key
	if err := b.Set(ctx, refused, []byte("v"), time.Hour); !errors.Is(err, cache.ErrFull) {
		t.Errorf("Set = %v", err)
	}
	if added, err := b.Add(ctx, refused, []byte("v"), time.Hour); added || !errors.Is(err, cache.ErrFull) {
		t.Errorf("Add = %v, %v", added, err)
	}
	newUwsgi(t, uwsgi.Options{Addr: server.Socket, Cache: "first"}) // a full cache is not an error
	if err := b.Ping(ctx); err != nil {
		t.Errorf("Ping = %v", err)
	}
	values, err := b.GetMany(ctx, keys)
	if got := hits(values); got != servers.UwsgiItems || err != nil {
		t.Errorf("%d entries, %v; want %d", got, err, servers.UwsgiItems)
	}
	if err := b.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	values, err = b.GetMany(ctx, keys)
	if got := hits(values); got != 0 || err != nil {
		t.Errorf("%d entries after Clear, %v", got, err)
	}
	if err := b.Set(ctx, refused, []byte("v"), time.Hour); err != nil {
		t.Errorf("Set after Clear: %v", err)
	}
}

func hits(values [][]byte) (n int) {
	for _, value := range values {
		if value != nil {
			n++
		}
	}
	return n
}

// refusedUwsgi returns the error of New. New takes a server that does not answer in time for
// one that has the cache, so it is repeated: on a busy machine one answer may be late.
func refusedUwsgi(t *testing.T, o uwsgi.Options) error {
	t.Helper()
	for range 5 {
		b, err := uwsgi.New(t.Context(), o)
		if err != nil {
			return err
		}
		b.Close()
	}
	return nil
}

// New reports options that do not match the server.
func TestUWSGINew(t *testing.T) {
	busy(t)
	server := servers.StartUwsgi(t, "")
	for name, c := range map[string]struct {
		o    uwsgi.Options
		want string
	}{
		"no such cache": {uwsgi.Options{Cache: "third"}, `no cache "third" at ` + server.Addr},
		"values":        {uwsgi.Options{Cache: "first"}, "(Options.MaxValue): "},
		"keys":          {uwsgi.Options{Cache: "first", MaxValue: servers.UwsgiBlockSize, MaxKey: 2049}, "(Options.MaxKey): "},
		"buffer size":   {uwsgi.Options{Cache: "first", MaxValue: servers.UwsgiBlockSize, MaxKey: 9000, BufferSize: 10_000}, "(Options.MaxKey): "},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Addr = server.Addr
			err := refusedUwsgi(t, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	newUwsgi(t, uwsgi.Options{Addr: server.Addr}) // no name is the first cache
}

// The error of New names what another server lacks.
func TestUWSGIWrongServer(t *testing.T) {
	busy(t)
	const needs = "the server needs both the plugin cache (--plugins cache) and --cache2 name=first,"
	for name, server := range map[string]struct{ args, want string }{
		"without the plugin":     {"--cache2 name=first,items=100 --socket", needs},
		"without a cache":        {"--plugins cache --socket", needs},
		"with another cache":     {"--plugins cache --cache2 name=other,items=100 --socket", needs},
		"with a socket for HTTP": {"--plugins cache --cache2 name=first,items=100 --http-socket", "is not a uwsgi socket (--socket)"},
		"with the cache":         {"--plugins cache --cache2 name=first,items=100 --socket", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := servers.StartOtherUwsgi(t, server.args)
			if server.want == "" {
				newUwsgi(t, uwsgi.Options{Addr: addr, Cache: "first"})
				return
			}
			err := refusedUwsgi(t, uwsgi.Options{Addr: addr, Cache: "first"})
			if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), server.want) {
				t.Errorf("New: %v; want ErrUnavailable and %q", err, server.want)
			}
		})
	}
}

// Clearing a cache that is not the first would crash the server or clear a part of
// the cache, so the request is never sent.
func TestUWSGINeverClearsSecondCache(t *testing.T) {
	busy(t)
	server := servers.StartUwsgi(t, "")
	wire := record(t, server.Addr)
	ctx := t.Context()
	first := newUwsgi(t, uwsgi.Options{Addr: wire.addr, Cache: "first", FirstCache: true, AllowFlush: true})
	second := newUwsgi(t, uwsgi.Options{Addr: wire.addr, Cache: "second"})
	for _, b := range []*uwsgi.Backend{first, second} {
		if err := b.Set(ctx, "k", []byte("v"), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	prefixed := cache.New(second, cache.WithPrefix("app:"))
	for what, err := range map[string]error{"Clear": second.Clear(ctx), "Clear with a prefix": prefixed.Clear(ctx)} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s = %v, want %v", what, err, errors.ErrUnsupported)
		}
	}
	if sent := wire.sent(); strings.Contains(sent, "clear") || !strings.Contains(sent, "update") {
		t.Errorf("sent: %q", sent)
	}
	if err := first.Clear(ctx); err != nil {
		t.Errorf("Clear of the first: %v", err)
	}
	if !strings.Contains(wire.sent(), "clear") {
		t.Error("the recording is incomplete")
	}
	for b, want := range map[*uwsgi.Backend]bool{first: false, second: true} {
		if _, ok, err := b.Get(ctx, "k"); ok != want || err != nil {
			t.Errorf("Get after Clear of the first = %v, %v, want %v", ok, err, want)
		}
	}
}

// recording forwards connections to a server and records what clients send.
type recording struct {
	addr string
	mu   sync.Mutex
	data strings.Builder
}

func record(t *testing.T, server string) *recording {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	r := &recording{addr: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(client, server)
		}
	}()
	return r
}

func (r *recording) pass(client net.Conn, server string) {
	defer client.Close()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer conn.Close()
	go io.Copy(conn, io.TeeReader(client, r))
	io.Copy(client, conn)
}

func (r *recording) Write(data []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.data.Write(data)
}

func (r *recording) sent() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.data.String()
}
