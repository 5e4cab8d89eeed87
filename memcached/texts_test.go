package memcached

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// startRaw accepts connections and sends reply after the first bytes. It then closes the
// connection if hangUp follows.
func startRaw(t *testing.T, reply string) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				if _, err := conn.Read(make([]byte, 4096)); err != nil {
					return
				}
				text, ends := strings.CutSuffix(reply, hangUp)
				fmt.Fprint(conn, text)
				if !ends {
					<-ctx.Done()
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); cancel(); running.Wait() })
	return listener.Addr().String()
}

// What is wrong with the address or the protocol is in the error of every verb, with a
// remedy.
func TestErrorTexts(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	secure := startFakeTLS(t, &tls.Config{Certificates: certificate.TLS.Certificates})
	anyTLS := &tls.Config{InsecureSkipVerify: true}
	user := Options{Username: "u", Password: driver.NewSecret("sesame")}
	text, binary := Text, Binary
	const alert = "\x15\x03\x03\x00\x02\x02\x0a"
	for name, tt := range map[string]struct {
		options Options
		addr    string
		want    string
		unsent  bool // the server has executed nothing
		only    *Protocol
	}{
		"TLS to a plain port":              {Options{TLS: anyTLS}, startRaw(t, "ERROR\r\n"), "TLS handshake: tls: first record does not look like a TLS handshake: the server may not use TLS on this port", true, nil},
		"TLS to a port that hangs up":      {Options{TLS: anyTLS}, startRaw(t, hangUp), "the server may not use TLS on this port", true, nil},
		"plain to a TLS port":              {Options{}, startRaw(t, alert), "the server requires TLS: set CACHE_MEMCACHED_TLS_CA", true, nil},
		"plain to a TLS port that ends":    {Options{}, startRaw(t, strings.ReplaceAll(alert, "\x0a", "\x28")+hangUp), "the server requires TLS: set CACHE_MEMCACHED_TLS_CA", true, nil},
		"plain to a TLS server":            {Options{}, secure.addr, "TLS", false, nil},
		"login at a TLS port":              {user, startRaw(t, alert+hangUp), "the server requires TLS", true, nil},
		"login at a port that hangs up":    {user, startRaw(t, hangUp), "login: EOF: the server may require TLS, or support no login", true, nil},
		"HTTP":                             {Options{}, startRaw(t, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n"), "HTTP: check the address", false, nil},
		"a proxy without a server":         {Options{}, startRaw(t, hangUp), "no reply on a new connection: a proxy may have no server", false, nil},
		"the text protocol for the binary": {Options{}, startRaw(t, "ERROR\r\nERROR\r\n"), "set the option protocol to text", false, &binary},
		"an old server":                    {Options{}, startRaw(t, "ERROR\r\n"), "does not support the meta commands of memcached 1.6", false, &text},
	} {
		bothProtocols(t, func(t *testing.T, o Options) {
			if tt.only != nil && *tt.only != o.Protocol {
				t.Skip("of the other protocol")
			}
			tt.options.Protocol, tt.options.Servers = o.Protocol, []string{tt.addr}
			b := start(t, tt.options)
			for _, v := range verbs {
				if name == "an old server" && (v.name == "Get" || v.name == "GetMany" || v.name == "Ping") {
					continue // not a meta command
				}
				if tt.addr == secure.addr && v.name == "Ping" {
					continue // shorter than the header of a record: the server waits for more
				}
				err := v.call(t.Context(), b)
				kind := cache.ErrUnavailable
				if v.write && !tt.unsent && v.name != "Inc" && (tt.addr != secure.addr || errors.Is(err, cache.ErrUnknownOutcome)) { // its alert may be lost
					kind = cache.ErrUnknownOutcome
				}
				if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, kind) || strings.Contains(err.Error(), "sesame") {
					t.Errorf("%s, %s: %v; want %v: ... %s", name, v.name, err, kind, tt.want)
				}
			}
		})
	}
}

// A proxy sends SERVER_ERROR if it cannot reach a memcached. The reason is in the error if
// it is known not to be a part of a value.
func TestServerErrorOfProxy(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		if b.options.Protocol == Binary {
			t.Skip("TestServerErrorBinary")
		}
		for reason, unsent := range map[string]bool{"Connection refused": true, "No route to host": false, "backend failure": false, "Connection timed out": false, value: false} {
			for _, v := range verbs {
				f.answers(func(_ int, command string) string {
					if v.name == "Inc" && (strings.HasPrefix(command, "get") || strings.HasPrefix(command, "mg")) {
						return ""
					}
					return "SERVER_ERROR " + reason + "\r\n"
				})
				err := v.call(t.Context(), b)
				f.answers(nil)
				if v.name == "Ping" && b.meta == nil {
					continue // gomemcache
				}
				kind := cache.ErrUnavailable
				if v.write && !unsent && (v.name != "Delete" && v.name != "DeleteMany" || !b.options.Spread) {
					kind = cache.ErrUnknownOutcome
				}
				if !errors.Is(err, kind) && !(b.options.Spread && errors.Is(err, cache.ErrUnknownOutcome)) {
					t.Errorf("%s after %q: %v; want %v", v.name, reason, err, kind)
				}
				if shown := strings.Contains(strings.ToLower(err.Error()), strings.ToLower(reason)); shown != (reason != value) || !strings.Contains(err.Error(), "a proxy cannot reach its memcached") {
					t.Errorf("%s after %q: %v", v.name, reason, err)
				}
			}
		}
	})
}

func TestServerErrorBinary(t *testing.T) {
	for _, status := range []uint16{0x84, 0x85, 0x86} {
		f := startFake(t, nil)
		b := start(t, Options{Servers: []string{f.addr}, Protocol: Binary})
		f.answers(func(_ int, command string) string {
			var code byte
			fmt.Sscanf(command, "0x%02x", &code)
			return frame(code, status, 0, 0, "", "", value)
		})
		_, _, err := b.Get(t.Context(), "k")
		if !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), fmt.Sprintf("0x%02x", status)) {
			t.Errorf("Get with status %x: %v", status, err)
		}
		if err := b.Set(t.Context(), "k", nil, 0); !errors.Is(err, cache.ErrUnknownOutcome) {
			t.Errorf("Set with status %x: %v", status, err)
		}
		if f.count("conns") != 1 {
			t.Errorf("%d connections; want 1: the stream is in step", f.count("conns"))
		}
	}
}

// A proxy fails a get of several keys if it cannot reach the server of one. The callers of
// the other keys do not notice.
func TestServerErrorInSharedGet(t *testing.T) {
	f, b := share(t, Options{}, nil)
	for i := range 30 {
		must(t, b.Set(t.Context(), fmt.Sprint("k", i), []byte("v"), 0))
	}
	f.answers(func(_ int, command string) string {
		if strings.Contains(command, "bad") {
			return "SERVER_ERROR Connection refused\r\n"
		}
		return ""
	})
	var running sync.WaitGroup
	for i := range 30 {
		running.Go(func() {
			for range 20 {
				if i%10 == 0 {
					if _, _, err := b.Get(t.Context(), "bad"); !errors.Is(err, cache.ErrUnavailable) {
						t.Errorf("Get of a key that cannot be read: %v", err)
					}
				}
				if _, ok, err := b.Get(t.Context(), fmt.Sprint("k", i)); !ok || err != nil {
					t.Errorf("Get of another key: %v, %v", ok, err)
				}
			}
		})
	}
	running.Wait()
}

// The position in an invalid key is that with the prefix, which the caller does not know.
func TestInvalidKeyText(t *testing.T) {
	f := startFake(t, nil)
	c := cache.New(start(t, Options{Servers: []string{f.addr}}), cache.WithPrefix("a-long-prefix:"))
	err := c.Set(t.Context(), "a b", nil)
	if !errors.Is(err, cache.ErrInvalidKey) || !strings.Contains(err.Error(), "0x20") || strings.Contains(err.Error(), "byte 15") {
		t.Errorf("%v", err)
	}
}
