package uwsgi

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// fake is a server with one cache, "c". Like uWSGI, it closes the connection of a
// refused request without a reply. It does not remove expired entries.
type fake struct {
	addr string

	mu       sync.Mutex
	items    map[string]entry
	full     bool
	missing  bool // the server has no cache
	maxKey   int  // 0 for no limit
	maxValue int
	purgeLRU bool
	nameless bool             // also serve requests without a cache name
	behind   int64            // seconds by which its clock is behind
	log      []string         // the commands received, with their keys
	fault    func(*call) bool // nil, or reports whether it replaced the reply
}

// call is one request at the fake.
type call struct {
	conn    net.Conn
	command string
	key     string
	pairs   map[string]string
	value   []byte
}

// reset closes the connection with a reset.
func (c *call) reset() {
	if tcp, is := c.conn.(*net.TCPConn); is {
		tcp.SetLinger(0)
	}
	c.conn.Close()
}

func startFake(t *testing.T) *fake {
	t.Helper()
	return serveFake(t, "tcp", "127.0.0.1:0")
}

func startFakeUnix(t *testing.T) *fake {
	t.Helper()
	return serveFake(t, "unix", filepath.Join(t.TempDir(), "s"))
}

func serveFake(t *testing.T, network, addr string) *fake {
	t.Helper()
	listener, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{addr: listener.Addr().String(), items: map[string]entry{}}
	var calls sync.WaitGroup
	calls.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			calls.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		calls.Wait()
	})
	return f
}

// backend opens a Backend on the fake and empties the log.
func (f *fake) backend(t *testing.T, o Options) *Backend {
	t.Helper()
	o.Addr, o.Cache = f.addr, "c"
	b, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	f.commands()
	return b
}

// commands returns and empties the log.
func (f *fake) commands() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

// set changes the fake while it serves.
func (f *fake) set(change func(f *fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	c, ok := readCall(conn)
	if !ok {
		return
	}
	f.mu.Lock()
	known := !f.missing && (c.pairs["cache"] == "c" || f.nameless && c.pairs["cache"] == "")
	f.mu.Unlock()
	if !known {
		conn.SetDeadline(time.Now().Add(10 * time.Millisecond)) // unread bytes would cause a reset
		conn.Read(make([]byte, 4096))
		return
	}
	if size, _ := strconv.Atoi(c.pairs["size"]); size > 0 {
		c.value = make([]byte, size)
		if _, err := io.ReadFull(conn, c.value); err != nil {
			return
		}
	}
	f.mu.Lock()
	f.log = append(f.log, c.command+" "+c.key)
	fault := f.fault
	f.mu.Unlock()
	if fault != nil && fault(c) {
		return
	}
	conn.Write(f.execute(c))
}

func readCall(conn net.Conn) (*call, bool) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(conn, header); err != nil {
		return nil, false
	}
	rest := make([]byte, binary.LittleEndian.Uint16(header[1:]))
	if _, err := io.ReadFull(conn, rest); err != nil || header[0] != modifier1 || header[3] != modifier2 {
		return nil, false
	}
	c := &call{conn: conn, pairs: map[string]string{}}
	for len(rest) > 0 {
		var name, text []byte
		name, rest, _ = cutString(rest)
		text, rest, _ = cutString(rest)
		c.pairs[string(name)] = string(text)
	}
	c.command, c.key = c.pairs["cmd"], c.pairs["key"]
	return c, true
}

// execute returns the reply, or nil if the fake refuses the request.
func (f *fake) execute(c *call) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, found := f.items[c.key]
	switch c.command {
	case "get":
		if !found {
			return nil
		}
		return replyBytes(e)
	case "del":
		if !found {
			return nil
		}
		delete(f.items, c.key)
	case "clear":
		clear(f.items)
	case "set", "update":
		if found && c.command == "set" || !found && f.full || len(c.value) == 0 ||
			f.maxKey > 0 && len(c.key) > f.maxKey || f.maxValue > 0 && len(c.value) > f.maxValue {
			return nil
		}
		life, _ := strconv.ParseInt(c.pairs["expires"], 10, 64)
		if life > 0 && !f.purgeLRU {
			life += time.Now().Unix() - f.behind
		}
		f.items[c.key] = entry{true, c.value, life}
	}
	return []byte("o\x0c\x00\x11\x06\x00status\x02\x00ok")
}

// replyBytes returns the reply with an entry.
func replyBytes(e entry) []byte {
	data := appendPair([]byte{modifier1, 0, 0, modifier2}, "status", "ok")
	data = appendPair(data, "size", strconv.Itoa(len(e.value)))
	if e.expires != 0 {
		data = appendPair(data, "expires", strconv.FormatInt(e.expires, 10))
	}
	binary.LittleEndian.PutUint16(data[1:], uint16(len(data)-headerSize))
	return append(data, e.value...)
}
