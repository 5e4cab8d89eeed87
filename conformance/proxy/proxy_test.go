package proxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
)

// echo starts a server that answers each line with "re:" and the line, and a
// proxy of it.
func echo(t *testing.T) *proxy.Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					io.WriteString(conn, "re:"+lines.Text()+"\n")
				}
			}()
		}
	}()
	p, err := proxy.New(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		listener.Close()
	})
	return p
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a line and returns what arrives within limit.
func ask(t *testing.T, conn net.Conn, line string, limit time.Duration) (string, error) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(limit))
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

// No case has an upper limit that a busy machine could exceed.
func TestFaults(t *testing.T) {
	timeout := os.ErrDeadlineExceeded
	const long, short = time.Minute, 100 * time.Millisecond
	for _, c := range []struct {
		name  string
		fault proxy.Fault
		limit time.Duration
		want  string
		least time.Duration // that the answer takes
		ended bool          // by an error other than a timeout
		err   error         // otherwise
	}{
		{"pass", proxy.Pass, long, "re:hello\n", 0, false, nil},
		{"reset", proxy.Reset, long, "", 0, true, nil},
		{"blackhole", proxy.Blackhole, short, "", short, false, timeout},
		{"latency", proxy.Latency, long, "re:hello\n", 300 * time.Millisecond, false, nil},
		{"partial and reset", proxy.PartialReset, long, "", 0, true, nil},
		{"garbage", proxy.Garbage, long, "\xff\x00!garbage 4294967295\r\n", 0, false, nil},
		{"lost reply", proxy.LostReply, long, "", 0, true, nil},
		{"drip", proxy.Drip, long, "re:hello\n", time.Duration(len("re:hello")) * 40 * time.Millisecond, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := echo(t)
			conn := dial(t, p)
			p.Set(c.fault)
			began := time.Now()
			got, err := ask(t, conn, "hello", c.limit)
			if took := time.Since(began); took < c.least {
				t.Errorf("the answer took %v, want at least %v", took, c.least)
			}
			switch {
			case c.ended:
				if err == nil || errors.Is(err, timeout) {
					t.Errorf("got %q, %v; want an error that is not a timeout", got, err)
				}
			case !errors.Is(err, c.err):
				t.Errorf("got error %v, want %v", err, c.err)
			case got != c.want:
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPartialHang(t *testing.T) {
	p := echo(t)
	conn := dial(t, p)
	p.Set(proxy.PartialHang)
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, "hello\n")
	half := make([]byte, len("re:h"))
	if _, err := io.ReadFull(conn, half); string(half) != "re:h" || err != nil {
		t.Errorf("got %q, %v; want the first half of the reply", half, err)
	}
	conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := conn.Read(half); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the first half: got %q, %v; want nothing", half[:n], err)
	}
}

func TestRefuse(t *testing.T) {
	p := echo(t)
	conn := dial(t, p)
	if err := p.Set(proxy.Refuse); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(t, conn, "hello", time.Minute); err == nil {
		t.Errorf("got %q on a connection that was open before", got)
	}
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial: got %v, want %v", err, syscall.ECONNREFUSED)
	}
	if err := p.Set(proxy.Pass); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(t, dial(t, p), "hello", time.Minute); got != "re:hello\n" {
		t.Errorf("after Pass: got %q, %v", got, err)
	}
}

func TestLostReplyAffectsOneReply(t *testing.T) {
	p := echo(t)
	conn := dial(t, p)
	p.Set(proxy.LostReply)
	if got, err := ask(t, conn, "one", time.Minute); err == nil {
		t.Errorf("got %q, want an error", got)
	}
	if got, err := ask(t, dial(t, p), "two", time.Minute); got != "re:two\n" {
		t.Errorf("the next reply: got %q, %v", got, err)
	}
	_, _, sent, received := p.Counts()
	if sent != 8 || received != 14 {
		t.Errorf("%d bytes sent, %d received; want 8 and 14, because the server has answered both", sent, received)
	}
}

func TestCounts(t *testing.T) {
	p := echo(t)
	conn := dial(t, p)
	for range 3 {
		if _, err := ask(t, conn, "hello", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	dials, requests, sent, received := p.Counts()
	if dials != 1 || requests != 3 || sent != 18 || received != 27 {
		t.Errorf("got %d dials, %d requests, %d bytes sent, %d received; want 1, 3, 18, 27", dials, requests, sent, received)
	}
}

func TestDrop(t *testing.T) {
	p := echo(t)
	conn := dial(t, p)
	if _, err := ask(t, conn, "hello", time.Minute); err != nil {
		t.Fatal(err)
	}
	p.Drop()
	if got, err := ask(t, conn, "hello", time.Minute); err == nil {
		t.Errorf("got %q on a connection that was dropped", got)
	}
}

func TestLate(t *testing.T) {
	p := echo(t)
	conn := dial(t, p)
	if delivered, err := p.Deliver(); delivered || err != nil {
		t.Errorf("Deliver without a request = %v, %v", delivered, err)
	}
	if err := p.Set(proxy.Late); err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "late\n")
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a late request: %v, want a reset", err)
	}
	for _, want := range []bool{true, false} {
		if delivered, err := p.Deliver(); delivered != want || err != nil {
			t.Errorf("Deliver = %v, %v; want %v", delivered, err, want)
		}
	}
	if got, err := ask(t, dial(t, p), "next", time.Minute); got != "re:next\n" || err != nil {
		t.Errorf("after a late request, another connection got %q, %v", got, err)
	}
}

// LostReply forwards what a server sends without a request, and drops the next reply.
func TestLostReplySparesNotices(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p, err := proxy.New(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	connect := func() (client, server net.Conn) {
		client = dial(t, p)
		client.SetDeadline(time.Now().Add(time.Minute))
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		return client, server
	}
	watching, toWatching := connect()
	asking, toAsking := connect()
	p.Set(proxy.LostReply)
	io.WriteString(toWatching, "notice\n")
	if got, err := bufio.NewReader(watching).ReadString('\n'); got != "notice\n" {
		t.Errorf("a notice: got %q, %v", got, err)
	}
	io.WriteString(asking, "request\n")
	if _, err := bufio.NewReader(toAsking).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	io.WriteString(toAsking, "reply\n")
	if got, err := bufio.NewReader(asking).ReadString('\n'); err == nil {
		t.Errorf("the reply to a request: got %q, want an error", got)
	}
}
