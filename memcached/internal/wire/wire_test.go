package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
)

func TestCutNumber(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0 \"\" true", "7 8": "7 \"8\" true", "4294967295 ": "4294967295 \"\" true",
		"": "0 \"\" false", " 7": "0 \"7\" false", "4294967296": "0 \"\" false", "99999999999999999999999 1": "0 \"\" false", "-1": "0 \"\" false", "7a": "0 \"\" false",
	} {
		n, rest, ok := cutNumber([]byte(text), math.MaxUint32)
		if got := fmt.Sprintf("%d %q %v", n, rest, ok); got != want {
			t.Errorf("cutNumber(%q) = %s; want %s", text, got, want)
		}
	}
}

// newTestNode returns the pool of a server that is not dialled yet.
func newTestNode(config Config, addr net.Addr) *node {
	config.PoolSize, config.DialTimeout = 1, time.Minute
	return NewClient(config).node(addr)
}

// A batch is written in one piece although the server may not read: its size is bounded.
func TestBatchSize(t *testing.T) {
	for name, config := range map[string]Config{"plain": {}, "TLS": {TLS: &tls.Config{}}} {
		limit := maxBatch + maxRequest
		if config.TLS != nil {
			limit = maxRecord
		}
		n := newTestNode(config, &address{"tcp", "127.0.0.1:1"})
		b := &batch{node: n}
		requests, size := 0, 0
		for ; size < n.group.BatchSize; requests++ {
			r := NewRequest(OpSet, Item{Key: strings.Repeat("k", 250), Value: make([]byte, maxShared)})
			r.protocol = n.protocol
			size = b.Add(r)
		}
		if len(b.encoded.buf) > limit || requests < 2 {
			t.Errorf("%s: %d requests with %d bytes in a batch; want several, at most %d bytes", name, requests, len(b.encoded.buf), limit)
		}
	}
	if NewRequest(OpSet, Item{Value: make([]byte, maxShared+1)}).shareable {
		t.Error("a larger value shares a round trip")
	}
}

// Whatever is written together over TLS is one record.
func TestRoundTripIsOneRecord(t *testing.T) {
	items := make([]Item, 3000)
	for i := range items {
		items[i] = Item{Key: strings.Repeat("k", 1+i%250), Value: make([]byte, i%900), Expiry: math.MaxInt32, Flags: math.MaxUint32}
	}
	for _, binary := range []bool{false, true} {
		n := newTestNode(Config{TLS: &tls.Config{}, Binary: binary}, &address{"tcp", "127.0.0.1:1"})
		for _, op := range []Op{OpGet, OpSet, OpDelete} {
			rest, trips := items, 0
			for ; len(rest) > 0; trips++ {
				fit := n.fit(op, rest)
				var sent writer
				n.protocol.write(&sent, &Request{Op: op, Items: rest[:fit]})
				if len(sent.buf) > maxRecord || fit == 0 {
					t.Fatalf("%T, op %v: a round trip of %d items, %d bytes", n.protocol, op, fit, len(sent.buf))
				}
				rest = rest[fit:]
			}
			if trips > 300 {
				t.Errorf("%T, op %v: %d round trips for %d items", n.protocol, op, trips, len(items))
			}
		}
		if fit := n.fit(OpSet, []Item{{Key: "large", Value: make([]byte, 1<<20)}, {Key: "k"}}); fit != 1 {
			t.Errorf("%d items are sent with one larger than a record", fit)
		}
	}
}

// An idle connection that the server has closed, or on which it has sent something, is
// not used again.
func TestIdleProbe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no probe")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	n := newTestNode(Config{}, listener.Addr())
	for name, end := range map[string]func(net.Conn){
		"closed": func(server net.Conn) { server.Close() },
		"sent":   func(server net.Conn) { fmt.Fprint(server, "ERROR\r\n") },
	} {
		c, err := n.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.socket.Close()
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		c.used = time.Now().Add(-time.Minute)
		if !c.isAlive() {
			t.Errorf("%s: an idle connection is not alive before", name)
		}
		end(server)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		for c.isAlive() && ctx.Err() == nil {
			runtime.Gosched()
		}
		if ctx.Err() != nil {
			t.Errorf("%s: the connection is still used", name)
		}
		cancel()
	}
}

// A panic while a batch is sent becomes the error of its callers; the connection is not
// used again, and its place in the pool is free.
func TestPanicInRoundTrip(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	n := newTestNode(Config{MaxAlone: -1}, listener.Addr())
	n.protocol = panicking{}
	for range 3 {
		err := n.do(t.Context(), NewRequest(OpGet, Item{Key: "k"}))
		var panicked *remote.PanicError
		if !errors.As(err, &panicked) {
			t.Errorf("%v; want a PanicError", err)
		}
		if len(n.idle) != 0 || len(n.slots) != 0 {
			t.Errorf("%d idle connections, %d in use; want none", len(n.idle), len(n.slots))
		}
	}
}

type panicking struct{ text }

func (panicking) write(*writer, *Request) { panic("panic of a test") }
