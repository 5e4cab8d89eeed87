package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What a fake does instead of sending a reply.
const (
	silence = "silence" // the connection stays open
	hangUp  = "hang up"
	partial = "partial " // what follows is sent before hanging up
)

// fake is a server that counts commands and sends the replies of a test.
type fake struct {
	addr   string
	answer func(n int, args []string) string // n counts the commands of that name, from 1
	pause  time.Duration                     // before each 64 KiB of a large reply
	conns  sync.Map

	mu     sync.Mutex
	counts map[string]int // commands by name, and connections as "conns"
	names  []string       // of the commands in their order
}

// startFake serves until the test ends. Connections are set up as by an old server without
// HELLO.
func startFake(t *testing.T, answer func(n int, args []string) string) *fake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveFake(t, listener, answer)
}

func startFakeTLS(t *testing.T, config *tls.Config, answer func(n int, args []string) string) *fake {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	return serveFake(t, listener, answer)
}

func serveFake(t *testing.T, listener net.Listener, answer func(n int, args []string) string) *fake {
	f := &fake{addr: listener.Addr().String(), answer: answer, counts: map[string]int{}}
	var accepting, running sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.conns.Store(conn, nil)
			f.add("conns")
			running.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		accepting.Wait() // no connection is added any more
		f.dropAll()
		running.Wait()
	})
	return f
}

// dropAll closes all connections, as a restart does.
func (f *fake) dropAll() {
	f.conns.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
}

// open returns the number of open connections.
func (f *fake) open() (n int) {
	f.conns.Range(func(_, _ any) bool { n++; return true })
	return n
}

func (f *fake) serve(conn net.Conn) {
	defer f.conns.Delete(conn)
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		args, err := readCommand(in)
		if err != nil {
			return
		}
		name := strings.ToLower(args[0])
		if len(args) == 2 && isLeaseName(args[1]) {
			f.add(name + " lease")
			io.WriteString(conn, ":0\r\n")
			continue
		}
		n := f.add(name)
		f.mu.Lock()
		answer, pause := f.answer, f.pause
		f.mu.Unlock()
		reply := answer(n, args)
		if reply == "" {
			reply = usual(name)
		}
		switch reply {
		case silence:
			io.Copy(io.Discard, in)
			return
		case hangUp:
			return
		}
		rest, ends := strings.CutPrefix(reply, partial)
		for ; len(rest) > progress; rest = rest[progress:] {
			time.Sleep(pause)
			io.WriteString(conn, rest[:progress])
		}
		io.WriteString(conn, rest)
		if ends {
			return
		}
	}
}

func usual(name string) string {
	switch name {
	case "ping":
		return "+PONG\r\n"
	case "type":
		return "+string\r\n"
	case "pttl":
		return ":-1\r\n"
	case "hello":
		return "-ERR unknown command 'HELLO'\r\n"
	}
	return "+OK\r\n"
}

func (f *fake) add(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[name]++
	f.names = append(f.names, name)
	return f.counts[name]
}

func (f *fake) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[name]
}

// sent returns the names of the commands since the connection was set up, and forgets them.
func (f *fake) sent() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := strings.Join(f.names, ", ")
	f.names = nil
	_, names, _ = strings.Cut(", "+names, ", ping, ")
	return names
}

// readCommand reads a list of strings.
func readCommand(in *bufio.Reader) ([]string, error) {
	n, err := readLength(in, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := readLength(in, '$')
		if err != nil {
			return nil, err
		}
		arg := make([]byte, size+2)
		if _, err := io.ReadFull(in, arg); err != nil {
			return nil, err
		}
		args[i] = string(arg[:size])
	}
	return args, nil
}

func readLength(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("%q", line)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// on replies to one command; the others have their usual replies.
func on(name string, reply func(n int) string) func(int, []string) string {
	return func(n int, args []string) string {
		if strings.EqualFold(args[0], name) {
			return reply(n)
		}
		return ""
	}
}

func always(reply string) func(int) string { return func(int) string { return reply } }

// start opens a backend until the end of the test.
func start(t *testing.T, o Options) *Backend {
	t.Helper()
	b, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// ample is longer than anything takes on a busy machine.
const ample = 20 * time.Second

// withTimeouts calls try with longer and longer timeouts until it succeeds: on a busy
// machine a short timeout may not suffice.
func withTimeouts(t *testing.T, try func(timeout time.Duration) error) {
	t.Helper()
	var err error
	for timeout := 100 * time.Millisecond; timeout < ample/4; timeout *= 4 {
		if err = try(timeout); err == nil {
			return
		}
	}
	t.Error(err)
}

// waitFor waits until another goroutine has done something.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for ctx := soon(t, ample/2); !done(); time.Sleep(100 * time.Microsecond) {
		if ctx.Err() != nil {
			t.Fatal("waited too long: ", what)
		}
	}
}

// soon returns a context that ends after d.
func soon(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
