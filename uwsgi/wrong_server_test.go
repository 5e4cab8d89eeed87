package uwsgi

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// A server that was started again without the plugin, or without the cache, closes every
// connection without a reply.
func TestCacheDisappears(t *testing.T) {
	f := startFake(t)
	b, ctx := f.backend(t, Options{}), t.Context()
	f.set(func(f *fake) { f.full = true })
	if err := b.Set(ctx, "k", []byte("v"), 0); !errors.Is(err, driver.ErrFull) {
		t.Fatalf("Set of a full cache: %v", err)
	}
	f.commands()
	b.Set(ctx, "k", []byte("v"), 0)
	if log := f.commands(); len(log) != 2 {
		t.Errorf("%q; want a refused update and a get, and no other look whether the cache exists", log)
	}
	b.lastCheck.Store(0)
	f.set(func(f *fake) { f.full, f.missing = false, true })
	if _, ok, err := b.Get(ctx, "k"); ok || err != nil {
		t.Errorf("Get = %v, %v; want a miss, which looks the same as a missing cache", ok, err)
	}
	for range 2 {
		_, errAdd := b.Add(ctx, "k", []byte("v"), 0)
		for name, err := range map[string]error{"Ping": b.Ping(ctx), "Set": b.Set(ctx, "k", []byte("v"), 0), "Add": errAdd} {
			if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrFull) || !strings.Contains(err.Error(), "(--plugins cache) and --cache2 name=c,") {
				t.Errorf("%s: %v; want ErrUnavailable and what the server needs", name, err)
			}
		}
	}
	if _, err := New(ctx, Options{Addr: f.addr}); err == nil || !strings.Contains(err.Error(), "--cache2 name=mycache,") {
		t.Errorf("New without a name: %v", err)
	}
}

// Replies of python -m http.server, and of the HTTP socket of uWSGI, which waits for the
// end of the line.
func TestHTTPServer(t *testing.T) {
	for name, reply := range map[string]string{
		"error":   "HTTP/1.0 414 Request-URI Too Long\r\nServer: SimpleHTTP/0.6 Python/3.11.7\r\nConnection: close\r\n\r\n",
		"page":    "<!DOCTYPE HTML>\n<html lang=\"en\">\n    <head>\n",
		"silence": "",
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						defer conn.Close()
						io.WriteString(conn, reply)
						io.Copy(io.Discard, conn)
					}()
				}
			}()
			f := startFake(t)
			b, ctx := f.backend(t, Options{}), t.Context()
			_, errNew := New(ctx, Options{Addr: listener.Addr().String(), Cache: "c", ReadTimeout: 100 * time.Millisecond})
			b.dialer.addr, b.options.ReadTimeout = listener.Addr().String(), 100*time.Millisecond
			_, _, errGet := b.Get(ctx, "k")
			for name, err := range map[string]error{"New": errNew, "Ping": b.Ping(ctx), "Get": errGet} {
				if !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), "uwsgi socket (--socket)") {
					t.Errorf("%s: %v; want ErrUnavailable and which socket is needed", name, err)
				}
			}
			if err := b.Set(ctx, "k", []byte("v"), 0); !errors.Is(err, driver.ErrUnknownOutcome) || !strings.Contains(err.Error(), "uwsgi socket (--socket)") {
				t.Errorf("Set: %v; want ErrUnknownOutcome and which socket is needed", err)
			}
		})
	}
}
