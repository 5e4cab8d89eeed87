package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
)

// dialing is put around the driver's dialling. It is a hook, for that is the only
// place that sees the connections of all topologies.
type dialing struct{}

// DialHook guards new connections, and turns a failed dial into a connection that
// fails. The pool of the driver counts failed dials: after as many as it has
// places, it does not dial at all for up to a second, and callers would find a
// server that is back still gone. Of broken connections it does not keep count.
func (dialing) DialHook(dial goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			nowhere, _ := net.Pipe()
			return dead{nowhere, noConnection(err)}, nil
		}
		return guard(conn), nil
	}
}

// ProcessHook adds nothing.
func (dialing) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

// ProcessPipelineHook adds nothing.
func (dialing) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// noConnection marks err as unreached. It is wrapped twice, for the driver takes
// one layer off what the set-up of a connection returns.
func noConnection(err error) error { return fmt.Errorf("connecting: %w", unreached{err}) }

// onConnect finds out whether a new connection works before a command that may be
// sent only once is: a server with too many clients accepts and hangs up.
func onConnect(ctx context.Context, conn *goredis.Conn) error {
	err := conn.Ping(ctx).Err()
	var reply goredis.Error
	if err == nil || errors.As(err, &reply) { // the command will get the same reply, and tell its caller
		return nil
	}
	return noConnection(err)
}

// dead is what became of a failed dial: a connection to nowhere.
type dead struct {
	net.Conn
	err error
}

func (d dead) Read([]byte) (int, error)  { return 0, d.err }
func (d dead) Write([]byte) (int, error) { return 0, d.err }

// Lengths that no answer to this package can have. The driver believes any, and a
// garbled one would take all the memory there is, or panic.
const (
	mostBytes    = maxValue
	mostElements = 1 << 20
)

var errAbsurdLength = errors.New("redis: absurd length in an answer")

// guarded ends a connection on which an absurd length arrives.
type guarded struct {
	net.Conn
	head [24]byte // beginning of a line that has not arrived whole
	n    int      // bytes of it
	skip int      // bytes of a value still to come
	bad  bool     // for good: the driver asks again
}

// guard keeps a socket a syscall.Conn, by which the driver finds out whether an
// idle connection has been closed.
func guard(conn net.Conn) net.Conn {
	if socket, ok := conn.(syscall.Conn); ok {
		return &struct {
			guarded
			syscall.Conn
		}{guarded{Conn: conn}, socket}
	}
	return &guarded{Conn: conn}
}

// NetConn returns the connection within, as tls.Conn does.
func (g *guarded) NetConn() net.Conn { return g.Conn }

func (g *guarded) Read(p []byte) (int, error) {
	if g.bad {
		return 0, errAbsurdLength
	}
	n, err := g.Conn.Read(p)
	if g.bad = !g.sane(p[:n]); g.bad {
		return 0, errAbsurdLength
	}
	return n, err
}

// sane follows the stream from one length to the next.
func (g *guarded) sane(p []byte) bool {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(p))
			g.skip -= n
			p = p[n:]
			continue
		}
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			g.n += copy(g.head[g.n:], p)
			return true
		}
		g.n += copy(g.head[g.n:], p[:end])
		p = p[end+1:]
		line := bytes.TrimSuffix(g.head[:g.n], []byte("\r"))
		g.n = 0
		if !g.next(line) {
			return false
		}
	}
	return true
}

// next takes in the line before a value or a list.
func (g *guarded) next(line []byte) bool {
	if len(line) < 2 || bytes.IndexByte([]byte("$=!*~>%|"), line[0]) < 0 {
		return true
	}
	length, err := strconv.Atoi(string(line[1:]))
	if errors.Is(err, strconv.ErrRange) {
		return false
	}
	switch line[0] {
	case '$', '=', '!':
		if err == nil && length >= 0 {
			g.skip = length + len("\r\n")
		}
		return length <= mostBytes
	default:
		return length <= mostElements
	}
}
