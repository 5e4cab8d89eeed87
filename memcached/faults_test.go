package memcached

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

const value = "a value that no error shows"

// operation is a method of the backend, with the command that it sends last.
type operation struct {
	name     string
	commands []string // of both protocols
	write    bool
	key      func(ctx context.Context, b *Backend, key string) error
	all      func(ctx context.Context, b *Backend) error
}

func (o operation) call(ctx context.Context, b *Backend) error {
	if o.key == nil {
		return o.all(ctx, b)
	}
	return o.key(ctx, b, "k")
}

var verbs = []operation{
	{"Get", []string{"get", "0x0c"}, false, func(ctx context.Context, b *Backend, key string) error { _, _, err := b.Get(ctx, key); return err }, nil},
	{"Has", []string{"mg", "get", "0x0c"}, false, func(ctx context.Context, b *Backend, key string) error { _, err := b.Has(ctx, key); return err }, nil},
	{"GetAppend", []string{"get", "0x0c"}, false, func(ctx context.Context, b *Backend, key string) error {
		_, _, err := b.GetAppend(ctx, key, make([]byte, 1, 100))
		return err
	}, nil},
	{"GetWithTTL", []string{"mg", "get", "0x0c"}, false, func(ctx context.Context, b *Backend, key string) error {
		_, _, _, err := b.GetWithTTL(ctx, key)
		if driver.IsUnsupported(err) && b.meta == nil {
			_, _, err = b.Get(ctx, key)
		}
		return err
	}, nil},
	{"GetManyWithTTL", []string{"mg", "get", "0x0d", "0x0c"}, false, func(ctx context.Context, b *Backend, key string) error {
		_, _, err := b.GetManyWithTTL(ctx, []string{key})
		if driver.IsUnsupported(err) && b.meta == nil {
			_, err = b.GetMany(ctx, []string{key})
		}
		return err
	}, nil},
	{"GetMany", []string{"get", "0x0d", "0x0c"}, false, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.GetMany(ctx, []string{key})
		return err
	}, nil},
	{"Set", []string{"ms", "0x01"}, true, func(ctx context.Context, b *Backend, key string) error {
		return b.Set(ctx, key, []byte(value), time.Minute)
	}, nil},
	{"Add", []string{"ms", "0x02"}, true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.Add(ctx, key, []byte(value), time.Minute)
		return err
	}, nil},
	{"Inc", []string{"ms", "0x02"}, true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.Inc(ctx, key, 1, time.Minute)
		return err
	}, nil},
	{"Delete", []string{"mg", "0x04"}, true, func(ctx context.Context, b *Backend, key string) error { _, err := b.Delete(ctx, key); return err }, nil},
	{"SetMany", []string{"ms", "0x01"}, true, func(ctx context.Context, b *Backend, key string) error {
		return b.SetMany(ctx, []driver.Item{{Key: key, Value: []byte(value)}}, time.Minute)
	}, nil},
	{"DeleteMany", []string{"mg", "0x04"}, true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.DeleteMany(ctx, []string{key})
		return err
	}, nil},
	{"Ping", []string{"mn", "0x0a"}, false, nil, func(ctx context.Context, b *Backend) error { return b.Ping(ctx) }},
}

// bothProtocols runs a test with both protocols.
func bothProtocols(t *testing.T, test func(t *testing.T, o Options)) {
	for name, o := range map[string]Options{"text": {}, "binary": {Protocol: Binary}} {
		t.Run(name, func(t *testing.T) { test(t, o) })
	}
}

func TestDialRefused(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		for _, server := range []string{"127.0.0.1:1", t.TempDir() + "/socket"} {
			o.Servers = []string{server}
			b := start(t, o)
			for _, v := range verbs {
				begin := time.Now()
				err := v.call(t.Context(), b)
				if !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrUnknownOutcome) {
					t.Errorf("%s: %v; want ErrUnavailable: nothing was sent", v.name, err)
				}
				if took := time.Since(begin); took > ample/2 {
					t.Errorf("%s took %v", v.name, took)
				}
			}
		}
	})
}

func TestLostReply(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		for _, v := range verbs {
			t.Run(v.name, func(t *testing.T) {
				f := startFake(t, on(hangUp, v.commands...))
				o.Servers = []string{f.addr}
				err := v.call(t.Context(), start(t, o))
				want, sent := cache.ErrUnavailable, 2
				if v.write {
					want, sent = cache.ErrUnknownOutcome, 1
				}
				if !errors.Is(err, want) {
					t.Errorf("got %v; want %v", err, want)
				}
				n := 0
				for _, command := range v.commands {
					n += f.count(command)
				}
				if n != sent {
					t.Errorf("%s was sent %d times; want %d", v.name, n, sent)
				}
			})
		}
	})
}

// After a restart all idle connections are broken. Reads do not fail, writes fail at most
// once.
func TestRestart(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		for _, v := range verbs {
			f := startFake(t, nil)
			o.Servers = []string{f.addr}
			b := start(t, o)
			fillPool(t, f, b, 5)
			f.dropAll()
			failed := 0
			for range 5 {
				if err := v.call(t.Context(), b); err != nil {
					failed++
				}
			}
			if limit := map[bool]int{true: 1}[v.write]; failed > limit {
				t.Errorf("%s failed %d times after a restart; want at most %d", v.name, failed, limit)
			}
		}
	})
}

// fillPool leaves n idle connections.
func fillPool(t *testing.T, f *fake, b *Backend, n int) {
	t.Helper()
	release := make(chan struct{})
	var once sync.Once
	f.answers(func(count int, command string) string { <-release; return "" })
	defer f.answers(nil)
	defer once.Do(func() { close(release) })
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			if err := b.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
		waitFor(t, "the server to accept", func() bool { return f.count("conns") == i+1 })
	}
	once.Do(func() { close(release) })
	running.Wait()
	if idle, _, _ := b.store.(*wire.Client).Load(); idle != n {
		t.Fatalf("%d idle connections; want %d", idle, n)
	}
}

func TestServerDoesNotReply(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		f := startFake(t, nil)
		o.Servers = []string{f.addr}
		b := start(t, o)
		for _, v := range verbs {
			f.answers(func(int, string) string { return silent })
			withTimeouts(t, func(timeout time.Duration) error {
				begin := time.Now()
				err := v.call(soon(t, timeout), b)
				if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took < timeout || took > ample/2 {
					return fmt.Errorf("%s with a deadline in %v: %v after %v", v.name, timeout, err, took)
				}
				if v.write && v.name != "Inc" && !errors.Is(err, cache.ErrUnknownOutcome) {
					return fmt.Errorf("%s: %w; want ErrUnknownOutcome, too", v.name, err)
				}
				return nil
			})
			ctx, cancel := context.WithCancel(t.Context())
			f.answers(func(int, string) string { cancel(); return silent })
			begin := time.Now()
			err := v.call(ctx, b)
			if took := time.Since(begin); !errors.Is(err, context.Canceled) || took > ample/2 {
				t.Errorf("%s that is cancelled: %v after %v", v.name, err, took)
			}
			if idle, _, _ := b.store.(*wire.Client).Load(); idle > 0 {
				t.Errorf("%s that was cancelled leaves its connection", v.name)
			}
		}
		f.answers(func(int, string) string { return silent })
		o.ReadTimeout = 30 * time.Millisecond
		if err := start(t, o).Ping(t.Context()); !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping without a deadline: %v; want ErrUnavailable after ReadTimeout", err)
		}
	})
}

// One of two servers does not reply. The results of the other one are returned at the
// deadline.
func TestOneOfTwoServersDoesNotReply(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		good, bad := startFake(t, nil), startFake(t, func(int, string) string { return silent })
		o.Servers = []string{good.addr, bad.addr}
		b := start(t, o)
		var keys, lost []string
		var items []driver.Item
		for i := range 20 {
			key := fmt.Sprintf("k%d", i)
			keys, items = append(keys, key), append(items, driver.Item{Key: key, Value: []byte("v")})
			if addr, _ := b.options.selector().PickServer(key); addr.String() == bad.addr {
				lost = append(lost, key)
			}
		}
		check := func(what string, call func(ctx context.Context) error) {
			withTimeouts(t, func(timeout time.Duration) error {
				begin := time.Now()
				err := call(soon(t, timeout))
				var failed []string
				var batch *cache.BatchError
				if errors.As(err, &batch) {
					for _, f := range batch.Failed {
						failed = append(failed, f.Key)
					}
				}
				if took := time.Since(begin); !slices.Equal(failed, lost) || !errors.Is(err, context.DeadlineExceeded) || took > ample/2 {
					return fmt.Errorf("%s failed after %v for %v; want %v", what, took, failed, lost)
				}
				return nil
			})
		}
		check("SetMany", func(ctx context.Context) error { return b.SetMany(ctx, items, 0) })
		var values [][]byte
		check("GetMany", func(ctx context.Context) (err error) { values, err = b.GetMany(ctx, keys); return err })
		for i, key := range keys {
			if hit := values[i] != nil; hit == slices.Contains(lost, key) {
				t.Errorf("GetMany found %s: %v", key, hit)
			}
		}
		check("DeleteMany", func(ctx context.Context) error { _, err := b.DeleteMany(ctx, keys); return err })
	})
}

// malformed are replies to a get of "k" that memcached does not send.
var malformed = map[Protocol]map[string]string{
	Text: {
		"garbage":             strings.Repeat("\xff\x00!garbage 4294967295\r\n", 4),
		"garbage in one line": strings.Repeat("x", 1<<20),
		"another key":         "VALUE other 0 1\r\nx\r\nEND\r\n",
		"a longer key":        "VALUE kk 0 1\r\nx\r\nEND\r\n",
		"the key twice":       "VALUE k 0 1\r\nx\r\nVALUE k 0 1\r\ny\r\nEND\r\n",
		"an absurd length":    "VALUE k 0 4294967295\r\nx\r\nEND\r\n",
		"a length over -I":    "VALUE k 0 1048577\r\nx\r\nEND\r\n",
		"a negative length":   "VALUE k 0 -1\r\nx\r\nEND\r\n",
		"no length":           "VALUE k\r\n",
		"a value too long":    "VALUE k 0 1\r\nxyz\r\nEND\r\n",
		"a bare line feed":    "\n",
		"line feeds":          "VALUE k 0 1\nx\nEND\n",
		"half a line":         partial + "VALUE k",
		"half a value":        partial + "VALUE k 0 10\r\nxyz",
		"no end":              partial + "VALUE k 0 1\r\nx\r\n",
		"an error":            "SERVER_ERROR " + value + "\r\n",
		"another answer":      "HD\r\n",
	},
	Binary: {
		"garbage":          strings.Repeat("\xff\x00!garbage 4294967295\r\n", 4),
		"text":             "ERROR Too many open connections\r\n and more",
		"another key":      frame(codeGet, statusOK, 0, 1, "\x00\x00\x00\x00", "other", "x"),
		"a key as long":    frame(codeGet, statusOK, 0, 1, "\x00\x00\x00\x00", "x", "x"),
		"another opcode":   frame(codeSet, statusOK, 0, 1, "\x00\x00\x00\x00", "k", "x"),
		"another opaque":   frame(codeGet, statusOK, 7, 1, "\x00\x00\x00\x00", "k", "x"),
		"no flags":         frame(codeGet, statusOK, 0, 1, "", "k", "x"),
		"an absurd length": "\x81\x0c\x00\x01\x04\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00k",
		"a length over -I": "\x81\x0c\x00\x01\x04\x00\x00\x00\x00\x10\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00k",
		"a body too small": "\x81\x0c\x00\x01\x04\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00k",
		"half a head":      partial + "\x81\x0c\x00",
		"half a value":     partial + frame(codeGet, statusOK, 0, 1, "\x00\x00\x00\x00", "k", "xyz")[:headerSize+6],
		"another status":   frame(codeGet, 0x99, 0, 1, "", "", value),
	},
}

// A malformed reply never causes a panic, a hit or a large allocation, and the next call
// has another connection.
func TestMalformedReply(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		for name, answer := range malformed[o.Protocol] {
			t.Run(name, func(t *testing.T) {
				f := startFake(t, nil)
				f.store("k", entry{value: "right"})
				o.Servers = []string{f.addr}
				b := start(t, o)
				b.mustGet(t, "k", "right")
				for what, get := range map[string]func(ctx context.Context) ([]byte, error){
					"Get":     func(ctx context.Context) ([]byte, error) { v, _, err := b.Get(ctx, "k"); return v, err },
					"GetMany": func(ctx context.Context) ([]byte, error) { v, err := b.GetMany(ctx, []string{"k"}); return v[0], err },
				} {
					f.answers(on(answer, "get", "0x0c"))
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					got, err := get(soon(t, ample/2))
					runtime.ReadMemStats(&after)
					if err == nil || got != nil {
						t.Errorf("%s = %q, %v; want an error", what, got, err)
					}
					if err != nil && strings.Contains(err.Error(), value) {
						t.Errorf("%s quotes the reply: %v", what, err)
					}
					// This includes the reply and the reader of the fake.
					if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
						t.Errorf("%s allocated %d bytes", what, grown)
					}
					f.answers(nil)
					b.mustGet(t, "k", "right")
				}
			})
		}
	})
}

func TestMalformedReplyToWrite(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		for _, answer := range []string{"\n", "\r\n", "VA\r\n", "VA 99999999999\r\n", "VA 2\r\n7\r\n", "HD t\r\n", "STORED\r\n", "\x81" + strings.Repeat("\xff", 30)} {
			for _, v := range verbs {
				f := startFake(t, nil)
				f.store("k", entry{value: "1"})
				f.answers(func(_ int, command string) string {
					if name, _, _ := strings.Cut(command, " "); name == "gets" || name == "0x0c" && v.name == "Inc" {
						return ""
					}
					return partial + answer
				})
				o.Servers = []string{f.addr}
				if err := v.call(soon(t, ample/2), start(t, o)); err == nil {
					t.Errorf("%s accepts the reply %q", v.name, answer)
				}
			}
		}
	})
}

func TestLogin(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		f := startFake(t, nil)
		f.mu.Lock()
		f.login = "user sesame"
		f.mu.Unlock()
		o.Servers = []string{f.addr}
		o.Username, o.Password = "user", driver.NewSecret("sesame")
		b := start(t, o)
		must(t, b.Set(t.Context(), "k", []byte("v"), 0))
		b.mustGet(t, "k", "v")
		for name, wrong := range map[string]Options{
			"wrong password": {Username: "user", Password: driver.NewSecret("open-sesame")}, "no user": {},
		} {
			before := f.count("conns")
			o.Username, o.Password = wrong.Username, wrong.Password
			b := start(t, o)
			for _, v := range verbs {
				err := v.call(t.Context(), b)
				if !errors.Is(err, cache.ErrAuth) || errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrUnknownOutcome) {
					t.Errorf("%s with %s: %v; want ErrAuth", v.name, name, err)
				}
				if err != nil && strings.Contains(err.Error(), "sesame") {
					t.Errorf("%s: a secret in %v", v.name, err)
				}
			}
			if n := f.count("conns") - before; n != len(verbs) {
				t.Errorf("%s: %d connections for %d calls; want one each, for nothing is retried", name, n, len(verbs))
			}
		}
	})
}

func TestTLS(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		certificate := httptest.NewUnstartedServer(nil)
		certificate.StartTLS()
		defer certificate.Close()
		f := startFakeTLS(t, &tls.Config{Certificates: certificate.TLS.Certificates})
		o.Servers = []string{f.addr}
		o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		if err := start(t, o).Set(t.Context(), "k", nil, 0); !errors.Is(err, cache.ErrAuth) {
			t.Errorf("an untrusted certificate: %v; want ErrAuth", err)
		}
		o.TLS.RootCAs.AddCert(certificate.Certificate())
		b := start(t, o)
		large := bytes.Repeat([]byte("x"), 300<<10)
		must(t, b.Set(t.Context(), "k", large, 0))
		b.mustGet(t, "k", string(large))
		// A deadline that passes does not harm the next call.
		f.answers(func(int, string) string { return silent })
		if err := b.Ping(soon(t, 30*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping: %v", err)
		}
		f.answers(nil)
		b.mustGet(t, "k", string(large))
	})
}

// Dialling, the handshake and the login end with DialTimeout and with the deadline.
func TestHandshakeTimeout(t *testing.T) {
	f := startFake(t, func(int, string) string { return silent })
	for name, o := range map[string]Options{
		"TLS": {TLS: &tls.Config{}}, "login": {Username: "u"}, "SASL": {Username: "u", Protocol: Binary},
	} {
		o.Servers, o.DialTimeout = []string{f.addr}, 30*time.Millisecond
		err := start(t, o).Set(t.Context(), "k", nil, 0)
		if !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v; want ErrUnavailable", name, err)
		}
		o.DialTimeout = 0
		err = start(t, o).Set(soon(t, 30*time.Millisecond), "k", nil, 0)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("%s: %v; want the deadline, and nothing sent", name, err)
		}
	}
}

func TestPoolExhausted(t *testing.T) {
	f := startFake(t, func(int, string) string { return silent })
	b := start(t, Options{Servers: []string{f.addr}, PoolSize: 1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.Ping(ctx); close(done) }()
	waitFor(t, "the only connection to be taken", func() bool { return f.count("mn") == 1 })
	err := b.Set(soon(t, 30*time.Millisecond), "k", nil, 0)
	if !errors.Is(err, cache.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Set without a connection: %v; want ErrUnavailable at the deadline", err)
	}
	cancel()
	<-done
}

// However many callers wait for a server that does not reply, each gets its error within
// a few timeouts, although none has a deadline. One after the other, they would take
// longer than ample.
func TestManyCallersAndSilentServer(t *testing.T) {
	set := func(size int) operation {
		return operation{name: fmt.Sprint("Set of ", size, " bytes"), write: true, all: func(ctx context.Context, b *Backend) error {
			return b.Set(ctx, "k", make([]byte, size), 0)
		}}
	}
	for name, tt := range map[string]struct {
		callers int
		timeout time.Duration
		calls   []operation
	}{
		"waiting for a connection":     {4000, 30 * time.Millisecond, append(slices.Clone(verbs), set(5000))},
		"waiting for a shared request": {1000, time.Second, []operation{set(4000)}},
	} {
		bothProtocols(t, func(t *testing.T, o Options) {
			f := startFake(t, func(int, string) string { return silent })
			o.Servers, o.PoolSize, o.ReadTimeout = []string{f.addr}, 2, tt.timeout
			b := start(t, o)
			var running sync.WaitGroup
			begin := time.Now()
			for i := range tt.callers {
				v := tt.calls[i%len(tt.calls)]
				running.Go(func() {
					err := v.call(context.Background(), b)
					if !errors.Is(err, cache.ErrUnavailable) && !(v.write && errors.Is(err, cache.ErrUnknownOutcome)) {
						t.Errorf("%s: %v", v.name, err)
					}
				})
			}
			running.Wait()
			if took := time.Since(begin); took > ample/2 {
				t.Errorf("%s: the last caller waited for %v", name, took)
			}
		})
	}
}

// A password that is sent to a remote server without TLS is reported once.
func TestClearTextPasswordWarning(t *testing.T) {
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	user := Options{Username: "user", Password: driver.NewSecret("sesame")}
	for _, o := range []Options{
		{Servers: []string{"192.0.2.1:1"}},
		{Servers: []string{"localhost:1", "[::1]:1", "/run/socket"}, Username: "user", Password: driver.NewSecret("sesame")},
		{Servers: []string{"192.0.2.1:1"}, Username: "user", Password: driver.NewSecret("sesame"), TLS: &tls.Config{}},
	} {
		start(t, o)
	}
	if log.Len() > 0 {
		t.Errorf("a needless warning: %s", &log)
	}
	user.Servers = []string{"127.0.0.1:1", "192.0.2.1:1", "192.0.2.2:1"}
	start(t, user)
	if n := strings.Count(log.String(), "WARN"); n != 1 || !strings.Contains(log.String(), "192.0.2.1:1") || strings.Contains(log.String(), "sesame") {
		t.Errorf("want one warning without the password: %s", &log)
	}
	log.Reset()
	start(t, Options{Selector: only{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}}, Username: "user", Password: driver.NewSecret("sesame")})
	if !strings.Contains(log.String(), "192.0.2.1:1") {
		t.Errorf("no warning about the server of a selector: %s", &log)
	}
}

// only is a selector of one server.
type only struct{ addr net.Addr }

func (o only) PickServer(string) (net.Addr, error) { return o.addr, nil }
func (o only) Each(do func(net.Addr) error) error  { return do(o.addr) }

// A reply too many is not read by the next caller as its own. If several requests shared
// the round trip, the client cannot know whose reply it is.
func TestReplyTooMany(t *testing.T) {
	extra := map[Protocol][]string{
		Text: {"HD\r\n", "NS\r\n", "EN\r\n", "END\r\n", "VALUE k 0 3\r\nbad\r\nEND\r\n", "MN\r\n", "VA 1\r\n7\r\n", "HD"},
		Binary: {
			frame(codeAdd, statusOK, 0, 1, "", "", ""), frame(codeGet, statusOK, 0, 1, "\x00\x00\x00\x00", "k", "bad"),
			frame(codeDelete, statusOK, 0, 1, "", "", ""), frame(codeIncrement, statusOK, 0, 1, "", "", "\x00\x00\x00\x00\x00\x00\x00\x07"), "\x81",
		},
	}
	bothProtocols(t, func(t *testing.T, o Options) {
		for _, name := range []string{"alone", "shared", "TLS"} {
			for _, rest := range extra[o.Protocol] {
				f, b := surplusServer(t, name, o)
				f.store("k", entry{value: "right"})
				f.store("n", entry{value: "1"})
				for _, v := range verbs {
					f.answers(func(int, string) string { return surplus + rest })
					_ = v.call(t.Context(), b)
					f.answers(nil)
					f.store("k", entry{value: "right"})
					if added, err := b.Add(t.Context(), "k", []byte("bad"), 0); added || err != nil {
						t.Fatalf("%s: after %s with %q too many, Add of a present key = %v, %v", name, v.name, rest, added, err)
					}
					b.mustGet(t, "k", "right")
				}
			}
		}
	})
}

// surplusServer returns a backend whose calls use a connection alone, share round trips,
// or use TLS.
func surplusServer(t *testing.T, name string, o Options) (*fake, *Backend) {
	switch name {
	case "shared":
		return share(t, o, nil)
	case "TLS":
		certificate := httptest.NewUnstartedServer(nil)
		certificate.StartTLS()
		t.Cleanup(certificate.Close)
		f := startFakeTLS(t, &tls.Config{Certificates: certificate.TLS.Certificates})
		o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		o.TLS.RootCAs.AddCert(certificate.Certificate())
		o.Servers = []string{f.addr}
		return f, start(t, o)
	}
	f := startFake(t, nil)
	o.Servers = []string{f.addr}
	return f, start(t, o)
}

// The replies of a batch with one too many are discarded: their order means nothing.
func TestReplyTooManyInBatch(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 5000) // not set quietly: a reply for each
	f := startFake(t, func(_ int, command string) string {
		if strings.HasPrefix(command, "ms b ") {
			return surplus + "NS\r\n"
		}
		return ""
	})
	b := start(t, Options{Servers: []string{f.addr}})
	err := b.SetMany(t.Context(), []driver.Item{{Key: "a", Value: large}, {Key: "b", Value: large}, {Key: "c", Value: large}}, 0)
	var batch *cache.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 3 || !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("SetMany: %v; want ErrUnknownOutcome for all", err)
	}
}

// gomemcache goes on after the context of a call has ended. It does not read the caller's
// memory then.
func TestBorrowedClientReadsNoMemoryOfTheCaller(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, b *Backend, value []byte) error{
		"Set": func(ctx context.Context, b *Backend, value []byte) error { return b.Set(ctx, "k", value, 0) },
		"Add": func(ctx context.Context, b *Backend, value []byte) error {
			_, err := b.Add(ctx, "k", value, 0)
			return err
		},
		"SetMany": func(ctx context.Context, b *Backend, value []byte) error {
			return b.SetMany(ctx, []driver.Item{{Key: "k", Value: value}}, 0)
		},
	} {
		for _, spread := range []bool{false, true} {
			f := startFake(t, nil)
			client := memcache.New(f.addr)
			client.Timeout = ample
			defer client.Close()
			dialling, dial := make(chan struct{}), make(chan struct{})
			var once sync.Once
			client.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				once.Do(func() { close(dialling) })
				<-dial
				return net.Dial(network, addr)
			}
			b, err := NewFromClient(client, Options{Spread: spread, MaxItemSize: 8 << 10})
			must(t, err)
			value := bytes.Repeat([]byte("a"), 7<<10)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-dialling; cancel() }()
			if err := write(ctx, b, value); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v; want the cancellation", name, err)
			}
			for i := range value {
				value[i] = 'b'
			}
			close(dial)
			waitFor(t, "the client to store the value", func() bool { _, ok := f.at("k"); return ok })
			if e, _ := f.at("k"); strings.Contains(e.value, "b") {
				t.Errorf("%s stored what the caller wrote to its memory afterwards", name)
			}
		}
	}
}
