package redis

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

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
)

// A call that is cancelled while the server is silent returns at once and gives up its
// connection. With a client of the application it returns at the read timeout of the
// client, or at once if it shares a round trip.
func TestCancelWithoutDeadline(t *testing.T) {
	serverTLS, clientTLS := certificates(t)
	for name, tt := range map[string]struct {
		open    func(f *fake, timeout time.Duration) *Backend
		atOnce  bool
		cluster bool
		tls     bool
	}{
		"one server": {open: func(f *fake, _ time.Duration) *Backend {
			return start(t, Options{Addr: f.addr, ReadTimeout: ample, AllowFlush: true})
		}, atOnce: true},
		"TLS": {open: func(f *fake, _ time.Duration) *Backend {
			return start(t, Options{Addr: f.addr, TLS: clientTLS, ReadTimeout: ample, AllowFlush: true})
		}, atOnce: true, tls: true},
		"shared": {open: func(f *fake, _ time.Duration) *Backend {
			b := start(t, Options{Addr: f.addr, ReadTimeout: ample, AllowFlush: true})
			b.pipeline.MaxAlone = -1
			return b
		}, atOnce: true},
		"cluster": {open: func(f *fake, _ time.Duration) *Backend {
			return start(t, Options{Cluster: []string{f.addr}, ReadTimeout: ample, AllowFlush: true})
		}, atOnce: true, cluster: true},
		"borrowed": {open: func(f *fake, timeout time.Duration) *Backend {
			return borrow(t, goredis.NewClient(&goredis.Options{Addr: f.addr, ReadTimeout: timeout, PipelinePoolSize: -1}))
		}},
		"borrowed cluster": {open: func(f *fake, timeout time.Duration) *Backend {
			return borrow(t, goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{f.addr}, ReadTimeout: timeout, PipelinePoolSize: -1}))
		}, cluster: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range verbs {
				if v.name == "Ping" {
					continue // the set-up of a connection sends it too
				}
				command := v.command
				if command == "mget" && tt.cluster {
					command = "get" // MGET cannot span slots
				}
				try := func(timeout time.Duration) error {
					f := startHealthy(t, nil)
					if tt.tls {
						f = startHealthy(t, serverTLS)
					}
					answer := healthy(func() string { return f.addr })
					f.mu.Lock()
					f.answer = func(n int, args []string) string {
						if strings.EqualFold(args[0], command) {
							return silence
						}
						return answer(n, args)
					}
					f.mu.Unlock()
					b := tt.open(f, timeout)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					go func() {
						waitFor(t, command, func() bool { return f.count(command) > 0 })
						cancel()
					}()
					begin := time.Now()
					err := v.call(ctx, b)
					if took := time.Since(begin); took > 2*timeout {
						return fmt.Errorf("%s with a timeout of %v took %v", v.name, timeout, took)
					}
					if !errors.Is(err, context.Canceled) || errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrUnknownOutcome) != v.write {
						return fmt.Errorf("%s: %v; want Canceled, and an unknown outcome: %v", v.name, err, v.write)
					}
					if tt.atOnce && !tt.cluster { // nothing of the call is left
						waitFor(t, "the end of the connection", func() bool { return b.one.PoolStats().TotalConns == b.one.PoolStats().IdleConns })
					}
					return nil
				}
				if !tt.atOnce {
					withTimeouts(t, try)
				} else if err := try(ample / 4); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A connection that is being set up for a caller is given up with the caller.
func TestCancelDuringSetUp(t *testing.T) {
	for _, command := range []string{"hello", "ping", "cluster"} {
		f := startFake(t, on(command, always(silence)))
		o := Options{Addr: f.addr, ReadTimeout: ample}
		if command == "cluster" {
			o = Options{Cluster: []string{f.addr}, ReadTimeout: ample}
		}
		b := start(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			waitFor(t, command, func() bool { return f.count(command) > 0 })
			cancel()
		}()
		begin := time.Now()
		err := b.Set(ctx, "k", nil, 0)
		if took := time.Since(begin); took > ample/2 || !errors.Is(err, context.Canceled) || errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("%s: after %v: %v; want Canceled at once, and nothing sent", command, took, err)
		}
	}
}

// Callers that leave a silent server hold neither connections nor places in the pool.
func TestCancelledCallsLeaveThePool(t *testing.T) {
	f := startFake(t, on("get", always(silence)))
	b := start(t, Options{Addr: f.addr, ReadTimeout: ample, PoolSize: 2, NoAutoPipeline: true})
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	begin := time.Now()
	for range 50 {
		callers.Go(func() {
			if _, _, err := b.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	waitFor(t, "two commands", func() bool { return f.count("get") == 2 })
	cancel()
	callers.Wait()
	f.mu.Lock()
	f.answer = on("get", always("$1\r\nv\r\n"))
	f.mu.Unlock()
	if v, ok, err := b.Get(t.Context(), "k"); string(v) != "v" || !ok || err != nil {
		t.Errorf("after that: %q, %v, %v", v, ok, err)
	}
	if took := time.Since(begin); took > ample/2 {
		t.Errorf("took %v", took)
	}
}

// The timeout is for each part of a reply: GetMany of large values may take longer.
func TestReadTimeoutIsForProgress(t *testing.T) {
	const values, size = 4, 4 * progress
	reply := fmt.Sprintf("*%d\r\n", values) + strings.Repeat(fmt.Sprintf("$%d\r\n%s\r\n", size, strings.Repeat("x", size)), values)
	f := startFake(t, on("mget", always(reply)))
	withTimeouts(t, func(timeout time.Duration) error {
		f.mu.Lock()
		f.pause = timeout / 4
		f.mu.Unlock()
		b := start(t, Options{Addr: f.addr, ReadTimeout: timeout})
		begin := time.Now()
		got, err := b.GetMany(t.Context(), make([]string, values))
		if took := time.Since(begin); err != nil || len(got[values-1]) != size || took < 2*timeout {
			return fmt.Errorf("after %v: %v; want the values after several timeouts of %v", took, err, timeout)
		}
		return nil
	})
}

// Small pieces do not extend the timeout: a server cannot hold a connection with them.
func TestSmallPiecesDoNotExtendTimeout(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	s := newSocket(client, Options{ReadTimeout: 50 * time.Millisecond})
	go func() {
		defer server.Close()
		for begin := time.Now(); time.Since(begin) < ample/2; {
			if _, err := server.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	s.SetReadDeadline(time.Now().Add(longTime))
	if _, err := io.ReadAll(s); !errors.Is(err, errTimeout) {
		t.Errorf("%v; want a timeout", err)
	}
}

// lateDeadline is a context that ends earlier than its deadline says.
type lateDeadline struct{ context.Context }

func (lateDeadline) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }

// The error of an exchange is that of the caller's context. A context whose timer has fired
// is not a cancelled one, even if the exchange has seen its deadline in the future.
func TestErrorOfEndedContext(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	for _, ctx := range []context.Context{lateDeadline{cancelled}, lateDeadline{expired}} {
		client, server := net.Pipe()
		defer server.Close()
		s := newSocket(client, Options{ReadTimeout: ample})
		inner, ended := withCall(ctx)
		deadline, _ := inner.Deadline()
		s.SetReadDeadline(deadline)
		if _, err := s.Read(make([]byte, 1)); !isInterrupted(err) || !errors.Is(err, ctx.Err()) {
			t.Errorf("%v; want %v", err, ctx.Err())
		}
		ended.end()
		client.Close()
	}
}

// Only the deadline of a call is one, whatever location a program gives its deadlines.
func TestCallOfDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	inner, ended := withCall(ctx)
	deadline, _ := inner.Deadline()
	if c := callOf(deadline); c == nil || c.Done() != ctx.Done() {
		t.Errorf("%v: the deadline does not identify the call", deadline)
	}
	ended.end()
	if callOf(deadline) != nil {
		t.Error("the call is kept after its end")
	}
	now := time.Now()
	for _, t1 := range []time.Time{{}, now, now.UTC(), now.In(new(time.Location)), now.In(time.FixedZone("redis call", 0))} {
		if callOf(t1) != nil {
			t.Errorf("%v is taken for the deadline of a call", t1)
		}
	}
	if ctx, _ := withCall(context.Background()); ctx != context.Background() {
		t.Error("a context that cannot end is wrapped")
	}
}
