package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
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
	config.PoolSize, config.DialTimeout = max(1, config.PoolSize), time.Minute
	config.Selector = GoMemcache([]string{addr.String()})
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
// not used again, however short it was idle.
func TestIdleProbe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no probe")
	}
	for name, end := range map[string]func(net.Conn){
		"closed": func(server net.Conn) { server.Close() },
		"sent":   func(server net.Conn) { fmt.Fprint(server, "ERROR\r\n") },
	} {
		eachStream(t, name, func(t *testing.T, c *conn, server net.Conn) {
			if !c.probe() {
				t.Error("an idle connection is not alive before")
			}
			end(server)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for c.probe() {
				if ctx.Err() != nil {
					t.Fatal("the connection is still used")
				}
				runtime.Gosched()
			}
		})
	}
}

// What was received and not read is found in every buffer.
func TestUnread(t *testing.T) {
	for _, rest := range []string{"", "rest", strings.Repeat("x", 3*readBuffer)} {
		eachStream(t, fmt.Sprint(len(rest)), func(t *testing.T, c *conn, server net.Conn) {
			socket := server
			if secure, ok := server.(*tls.Conn); ok {
				socket = secure.NetConn()
			}
			socket.(*gathering).do(func() {
				fmt.Fprint(server, "END\r\n")
				fmt.Fprint(server, rest) // with TLS a record of its own
			})
			line, err := c.r.line()
			if err != nil || string(line) != "END" {
				t.Fatalf("%q, %v", line, err)
			}
			found := func() bool { return c.hasUnread() || !c.probe() } // half a record stays in the socket
			if len(rest) < readBuffer && c.hasUnread() != (rest != "") || len(rest) > readBuffer && !found() {
				t.Errorf("with %d bytes after the reply: %v", len(rest), rest == "")
			}
			if rest == "" {
				fmt.Fprint(server, "MN\r\n")
				if line, err := c.r.line(); err != nil || string(line) != "MN" {
					t.Errorf("the next reply is %q, %v", line, err)
				}
			}
		})
	}
}

// gathering is a socket that may send several writes at once.
type gathering struct {
	net.Conn
	gather bool
	buf    []byte
}

func (g *gathering) Write(b []byte) (int, error) {
	if !g.gather {
		return g.Conn.Write(b)
	}
	g.buf = append(g.buf, b...)
	return len(b), nil
}

func (g *gathering) do(write func()) {
	g.gather = true
	write()
	g.gather = false
	g.Conn.Write(g.buf)
}

// eachStream runs a test with both ends of a connection, with TLS and without.
func eachStream(t *testing.T, name string, test func(t *testing.T, c *conn, server net.Conn)) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(certificate.Certificate())
	for stream, config := range map[string]*tls.Config{"plain": nil, "TLS": {RootCAs: trusted}} {
		t.Run(name+" "+stream, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			accepted := make(chan net.Conn, 1)
			go func() {
				raw, err := listener.Accept()
				if err != nil {
					return
				}
				var server net.Conn = &gathering{Conn: raw}
				if config != nil {
					secure := tls.Server(server, &tls.Config{Certificates: certificate.TLS.Certificates})
					if err := secure.Handshake(); err != nil {
						t.Error(err)
					}
					server = secure
				}
				fmt.Fprint(server, "OK\r\n") // reads the tickets of TLS 1.3
				accepted <- server
			}()
			n := newTestNode(Config{TLS: config, ReadTimeout: time.Minute}, listener.Addr())
			c, err := n.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.socket.Close()
			server := <-accepted
			defer server.Close()
			c.socket.attach(t.Context())
			c.socket.begin(time.Minute)
			if line, err := c.r.line(); err != nil || string(line) != "OK" {
				t.Fatalf("%q, %v", line, err)
			}
			test(t, c, server)
		})
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

// A host name is one server: one address of each family, or the lowest of several, until
// the name service does not list it any more.
func TestOneServer(t *testing.T) {
	for _, tt := range []struct {
		found   string
		current string
		want    string
	}{
		{"10.0.0.1", "", "10.0.0.1:1"},
		{"::1 127.0.0.1", "", "127.0.0.1:1 [::1]:1"}, // the server may listen on either
		{"::1 127.0.0.1", "[::1]:1", "[::1]:1 127.0.0.1:1"},
		{"::ffff:127.0.0.1 127.0.0.1", "", "127.0.0.1:1"},
		{"10.0.0.10 10.0.0.9 10.0.0.11", "", "10.0.0.9:1"},
		{"10.0.0.10 10.0.0.9 10.0.0.11", "10.0.0.11:1", "10.0.0.11:1"},
		{"10.0.0.10 10.0.0.9", "10.0.0.11:1", "10.0.0.9:1"},
		{"10.0.0.1 10.0.0.2 fd00::1 fd00::2", "", "10.0.0.1:1"},
		{"fd00::2 fd00::1 10.0.0.1", "", "10.0.0.1:1"},
	} {
		var found []netip.Addr
		for word := range strings.FieldsSeq(tt.found) {
			found = append(found, netip.MustParseAddr(word))
		}
		if got := strings.Join(oneServer(distinct(found), "1", tt.current), " "); got != tt.want {
			t.Errorf("of %s, with %q in use: %s; want %s", tt.found, tt.current, got, tt.want)
		}
	}
}

// Connections to a name go to one address, in whatever order the addresses are listed.
// When the address is not listed any more, they go to the next one, and idle connections
// to the first are closed.
func TestNameWithSeveralAddresses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs 127.0.0.2 and 127.0.0.3")
	}
	first, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, port, _ := net.SplitHostPort(first.Addr().String())
	second, err := net.Listen("tcp", "127.0.0.3:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	n := newTestNode(Config{}, &address{"tcp", "memcached.example:" + port})
	listed, lookups := []string{"127.0.0.2", "127.0.0.3"}, 0
	failing := false
	n.lookup = func(_ context.Context, network, host string) (found []netip.Addr, err error) {
		if network != "ip" || host != "memcached.example" {
			t.Errorf("lookup of %s %s", network, host)
		}
		if failing {
			return nil, errors.New("the name service is down")
		}
		slices.Reverse(listed)
		for _, ip := range listed {
			found = append(found, netip.MustParseAddr(ip))
		}
		lookups++
		return found, nil
	}
	take := func(want string) *conn {
		t.Helper()
		c, err := n.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if c.addr != want+":"+port {
			t.Errorf("connected to %s; want %s", c.addr, want)
		}
		<-n.slots // the pool has one
		return c
	}
	a, b := take("127.0.0.2"), take("127.0.0.2")
	failing = true
	c := take("127.0.0.2")
	failing = false
	put := func(c *conn) { n.slots <- struct{}{}; n.release(c, true, time.Now()) }
	put(a)
	listed = []string{"127.0.0.3"}
	moved, err := n.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	moved.socket.Close()
	put(b)
	put(c)
	if moved.addr != "127.0.0.3:"+port || len(n.idle) > 0 {
		t.Errorf("connected to %s, with %d idle connections to the old address", moved.addr, len(n.idle))
	}
	// The only server is down: no other address stands for it.
	listed = []string{"127.0.0.2", "127.0.0.3"}
	second.Close()
	if c, err := n.take(t.Context()); err == nil {
		t.Errorf("connected to %s, which is another server", c.addr)
	}
	if len(n.slots) > 0 || lookups < 3 {
		t.Errorf("%d connections are in use after %d lookups", len(n.slots), lookups)
	}
}

// A timeout costs one call, not one for each idle connection. The deadline of a caller
// counts only if the connection was idle for long.
func TestForgottenConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never replies
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, tt := range map[string]struct {
		deadline, timeout, idle time.Duration
		left                    int
	}{
		"timeout":             {time.Minute, 20 * time.Millisecond, 0, 0},
		"deadline":            {20 * time.Millisecond, time.Minute, 0, 2},
		"deadline after idle": {20 * time.Millisecond, time.Minute, 2 * forgotten, 0},
	} {
		n := newTestNode(Config{PoolSize: 3, ReadTimeout: tt.timeout, WriteTimeout: time.Minute}, listener.Addr())
		for range 3 {
			c, err := n.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.used = time.Now().Add(-tt.idle)
			n.idle = append(n.idle, c)
		}
		ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
		if err := n.do(ctx, NewRequest(OpGet, Item{Key: "k"})); !remote.IsTimeout(err) && !errors.Is(err, errTimeout) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if len(n.idle) != tt.left {
			t.Errorf("%s: %d idle connections are left; want %d", name, len(n.idle), tt.left)
		}
		n.dropIdle()
	}
}

// changing is a selector whose only server changes.
type changing struct{ addr net.Addr }

func (s *changing) PickServer(string) (net.Addr, error) { return s.addr, nil }
func (s *changing) Each(do func(net.Addr) error) error  { return do(s.addr) }

// Connections to servers that the selector does not return any more are closed: idle ones
// when the next server is used or after some time, others at the end of their request.
func TestServersOfSelectorChange(t *testing.T) {
	s := new(changing)
	c := NewClient(Config{Selector: s, PoolSize: 3, DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute})
	defer c.Close()
	closed := make(chan struct{}, 100)
	serve := func() net.Listener {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					for in := bufio.NewScanner(conn); in.Scan(); {
						fmt.Fprint(conn, "END\r\n")
					}
					conn.Close()
					closed <- struct{}{}
				}()
			}
		}()
		return listener
	}
	get := func() {
		t.Helper()
		if err := c.Do(t.Context(), NewRequest(OpGet, Item{Key: "k"})); err != nil {
			t.Error(err)
		}
	}
	var busy *node
	var inUse *conn
	const servers = 20
	for i := range servers {
		s.addr = serve().Addr()
		get()
		if i == 0 {
			busy = c.node(s.addr)
			var err error
			if inUse, err = busy.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if idle, _, _ := c.Load(); len(*c.nodes.Load()) != 1 || idle > 1 {
			t.Fatalf("%d servers with %d idle connections are kept; want 1", len(*c.nodes.Load()), idle)
		}
	}
	busy.release(inUse, true, time.Now())
	for range servers - 1 {
		select {
		case <-closed:
		case <-time.After(time.Minute):
			t.Fatal("a connection to a server that is not used any more stays open")
		}
	}
	// A server leaves, and none comes.
	first := s.addr
	s.addr = serve().Addr()
	c.node(first) // by a caller that picked it before
	c.node(s.addr)
	get()
	c.node(first)
	c.swept.Store(time.Now().Add(-2 * sweepEvery).UnixNano())
	get()
	if n := len(*c.nodes.Load()); n != 1 {
		t.Errorf("%d servers are kept; want 1", n)
	}
}

// A reply may state any length up to the limit: memory grows with what is received.
func TestStatedLength(t *testing.T) {
	for _, n := range []int{0, 1, maxTrusted, maxTrusted + 1, 5*maxTrusted + 7} {
		sent := make([]byte, n)
		for i := range sent {
			sent[i] = byte(i * 7)
		}
		in := reader{Reader: bufio.NewReader(bytes.NewReader(sent)), maxValue: n}
		if got, err := in.value(n, nil); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
	}
	in := reader{Reader: bufio.NewReader(strings.NewReader("short")), maxValue: 1 << 30}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := in.value(1<<30, nil)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; err == nil || grown > 2*maxTrusted {
		t.Errorf("%v after an allocation of %d bytes", err, grown)
	}
}

// The server replies to mg while it reads: neither side must wait for the other to read.
func TestLongRepliesLimitRequests(t *testing.T) {
	items := make([]Item, 1000)
	for i := range items {
		items[i].Key = strings.Repeat("k", 250)
	}
	n := (&node{protocol: text{}, config: &Config{}}).fit(OpGetTTL, items)
	var w writer
	text{}.write(&w, &Request{Op: OpGetTTL, Items: items[:n]})
	if n == 0 || len(w.buf) > maxBatch {
		t.Errorf("a request of %d keys has %d bytes; want at most %d", n, len(w.buf), maxBatch)
	}
}
