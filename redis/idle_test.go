package redis

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// healthy replies to the commands of all verbs. A server that is asked for the map of its
// cluster names the address to which the client has connected.
func healthy(addr func() string) func(int, []string) string {
	return func(_ int, args []string) string {
		switch strings.ToLower(args[0]) {
		case "get":
			return "$1\r\nv\r\n"
		case "mget":
			return "*1\r\n$1\r\nv\r\n"
		case "eval", "unlink", "incrby":
			return ":1\r\n"
		case "pttl":
			return ":1000\r\n"
		case "scan":
			return "*2\r\n$1\r\n0\r\n*0\r\n"
		case "cluster":
			host, port, _ := net.SplitHostPort(addr())
			return fmt.Sprintf("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$%d\r\n%s\r\n:%s\r\n", len(host), host, port)
		}
		return ""
	}
}

// startHealthy starts a healthy fake, which speaks TLS if config is not nil.
func startHealthy(t *testing.T, config *tls.Config) *fake {
	t.Helper()
	var f *fake
	answer := healthy(func() string { return f.addr })
	if config == nil {
		f = startFake(t, answer)
	} else {
		f = startFakeTLS(t, config, answer)
	}
	return f
}

// certificates returns the TLS configurations of a server and of a client that trusts it.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	help := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	t.Cleanup(help.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(help.Certificate())
	return &tls.Config{Certificates: help.TLS.Certificates}, &tls.Config{RootCAs: trusted}
}

// openConnections makes the backend open n connections.
func openConnections(t *testing.T, f *fake, b *Backend, n int) {
	t.Helper()
	f.mu.Lock()
	answer := f.answer
	var meet sync.WaitGroup
	meet.Add(n)
	f.answer = func(count int, args []string) string {
		if args[0] == "get" && args[1] == "warm" {
			meet.Done()
			meet.Wait()
		}
		return answer(count, args)
	}
	f.mu.Unlock()
	var callers sync.WaitGroup
	for range n {
		callers.Go(func() {
			if err := b.client.Get(t.Context(), "warm").Err(); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	f.mu.Lock()
	f.answer = answer
	f.mu.Unlock()
}

// Rule OUT-4 of the contract: idle connections that the server has closed cost no call.
func TestIdleConnectionsClosedByServer(t *testing.T) {
	serverTLS, clientTLS := certificates(t)
	for _, encrypted := range []bool{false, true} {
		for _, cluster := range []bool{false, true} {
			t.Run(fmt.Sprintf("tls=%v,cluster=%v", encrypted, cluster), func(t *testing.T) {
				o := Options{AllowFlush: true}
				var config *tls.Config
				if encrypted {
					config, o.TLS = serverTLS, clientTLS
				}
				f := startHealthy(t, config)
				if o.Addr = f.addr; cluster {
					o.Addr, o.Cluster = "", []string{f.addr}
				}
				for _, v := range verbs {
					b := start(t, o)
					openConnections(t, f, b, 5)
					f.dropAll()
					for range 6 {
						if err := v.call(soon(t, ample), b); err != nil {
							t.Errorf("%s: %v", v.name, err)
						}
					}
				}
			})
		}
	}
}

// The driver does not check idle connections with TLS that an application has opened.
// Reads still succeed, because they are sent again.
func TestIdleConnectionsOfBorrowedClient(t *testing.T) {
	serverTLS, clientTLS := certificates(t)
	for name, open := range map[string]func(addr string) goredis.UniversalClient{
		"one server": func(addr string) goredis.UniversalClient {
			return goredis.NewClient(&goredis.Options{Addr: addr, TLSConfig: clientTLS, MaxRetries: -1, PipelinePoolSize: -1})
		},
		"cluster": func(addr string) goredis.UniversalClient {
			return goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{addr}, TLSConfig: clientTLS, MaxRetries: -1, MaxRedirects: -1, PipelinePoolSize: -1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := startHealthy(t, serverTLS)
			for _, v := range verbs {
				if v.write {
					continue // is sent at most once
				}
				b := borrow(t, open(f.addr))
				openConnections(t, f, b, 5)
				f.dropAll()
				if err := v.call(soon(t, ample), b); err != nil {
					t.Errorf("%s: %v", v.name, err)
				}
			}
		})
	}
}

// Bytes that arrive on an idle connection may be an alert, which only TLS can read.
func TestIdleConnectionWithData(t *testing.T) {
	serverTLS, clientTLS := certificates(t)
	f := startHealthy(t, serverTLS)
	b := start(t, Options{Addr: f.addr, TLS: clientTLS})
	for range 3 {
		if _, err := b.Delete(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.count("conns"); n != 1 {
		t.Errorf("%d connections for calls one after the other", n)
	}
	f.conns.Range(func(conn, _ any) bool { conn.(*tls.Conn).CloseWrite(); return true }) // an alert, no end
	if _, err := b.Delete(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	if n := f.count("conns"); n != 2 {
		t.Errorf("%d connections after an alert; want 2", n)
	}
}

func TestConnMaxIdleTime(t *testing.T) {
	f := startHealthy(t, nil)
	for name, tt := range map[string]struct {
		limit time.Duration
		conns int
	}{"short": {time.Millisecond, 2}, "default": {0, 1}} {
		b := start(t, Options{Addr: f.addr, ConnMaxIdleTime: tt.limit})
		before := f.count("conns")
		for range 2 {
			if _, _, err := b.Get(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond) // the driver looks at its clock every 50 ms
		}
		if n := f.count("conns") - before; n != tt.conns {
			t.Errorf("%s: %d connections; want %d", name, n, tt.conns)
		}
	}
}

// Connections that could not be opened in advance fail no call when the server is back.
func TestMinIdleConnsAfterOutage(t *testing.T) {
	for _, name := range []string{"one server", "cluster", "sentinels"} {
		t.Run(name, func(t *testing.T) {
			const idle = 8
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := listener.Addr().String()
			listener.Close()
			o := Options{Addr: addr, MinIdleConns: idle}
			host, port, _ := net.SplitHostPort(addr)
			directory := startFake(t, func(n int, args []string) string {
				if args[0] == "sentinel" && strings.EqualFold(args[1], "get-master-addr-by-name") {
					return fmt.Sprintf("*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(host), host, len(port), port)
				}
				return healthy(func() string { return addr })(n, args)
			})
			switch name {
			case "cluster":
				o.Addr, o.Cluster = "", []string{directory.addr}
			case "sentinels":
				o.Addr, o.Sentinels = "", []string{directory.addr}
			}
			b := start(t, o)
			for range 3 {
				if _, err := b.Delete(soon(t, ample), "k"); err == nil {
					t.Fatal("Delete without a server succeeded")
				}
			}
			waitFor(t, "idle connections", func() bool { return b.client.PoolStats().IdleConns >= idle })
			if listener, err = net.Listen("tcp", addr); err != nil {
				t.Fatal("the port was taken: ", err)
			}
			serveFake(t, listener, healthy(func() string { return addr }))
			var callers sync.WaitGroup
			for range 4 * idle {
				callers.Go(func() {
					if _, err := b.Delete(soon(t, ample), "k"); err != nil {
						t.Errorf("after the server is back: %v", err)
					}
				})
			}
			callers.Wait()
		})
	}
}
