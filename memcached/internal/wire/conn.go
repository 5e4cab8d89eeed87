package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// pollInterval is how often a waiting connection checks its context. It saves each
// call the goroutine or the timer that would report a cancellation at once.
const pollInterval = 20 * time.Millisecond

// deadlineConn is a socket whose reads and writes end with a context, or after a
// timeout.
type deadlineConn struct {
	net.Conn
	ctx      context.Context
	deadline time.Time     // of ctx; zero if there is none
	timeout  time.Duration // of the current step
	limit    time.Time     // the end of timeout; zero before the first read or write
	current  time.Time     // the deadline that is set on the socket
	written  int           // bytes, since attach
	received bool          // something, ever
	offline  bool          // reads fail at once
}

// attach binds c to the context of a caller.
func (c *deadlineConn) attach(ctx context.Context) {
	c.ctx, c.written, c.deadline = ctx, 0, time.Time{}
	if deadline, ok := ctx.Deadline(); ok {
		c.deadline = deadline
	}
}

// begin starts a step that may take timeout.
func (c *deadlineConn) begin(timeout time.Duration) { c.timeout, c.limit = timeout, time.Time{} }

// setDeadline sets the deadline of the socket to the next check of the context. It
// keeps the current one if that is near enough: a busy connection comes here a
// thousand times between two checks.
func (c *deadlineConn) setDeadline() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	now := time.Now()
	if c.limit.IsZero() {
		c.limit = now.Add(c.timeout)
	}
	next := now.Add(pollInterval)
	if c.limit.Before(next) {
		next = c.limit
	}
	if !c.deadline.IsZero() && c.deadline.Before(next) {
		next = c.deadline
	}
	switch {
	case now.Before(next):
	case next.Equal(c.deadline):
		return context.DeadlineExceeded
	default:
		return errTimeout
	}
	if c.current.After(next) || c.current.Sub(now) < min(pollInterval/4, next.Sub(now)) {
		c.current = next
		return c.Conn.SetDeadline(next)
	}
	return nil
}

func (c *deadlineConn) Read(b []byte) (int, error) {
	if c.offline {
		return 0, os.ErrDeadlineExceeded
	}
	for {
		if err := c.setDeadline(); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(b)
		c.received = c.received || n > 0
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

func (c *deadlineConn) Write(b []byte) (int, error) {
	for done := 0; ; {
		if err := c.setDeadline(); err != nil {
			return done, err
		}
		n, err := c.Conn.Write(b[done:])
		done += n
		c.written += n
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
	}
}

// conn is a connection to a server. One caller at a time uses it.
type conn struct {
	socket *deadlineConn
	addr   string // that was dialled
	secure bool   // with TLS between socket and w, r
	w      writer
	r      reader
	probe  func() bool // of newProbe
	used   time.Time   // when it was dialled, or the end of the last exchange

	dialled time.Duration // when, by Clock
}

// hasUnread reports whether more was received than has been read. A record of TLS may
// have been received without being decrypted.
func (c *conn) hasUnread() bool {
	if c.r.Buffered() > 0 || !c.secure {
		return c.r.Buffered() > 0
	}
	c.socket.offline = true
	_, err := c.r.Peek(1)
	c.socket.offline = false
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// dial connects and logs in, both within Config.DialTimeout.
func (n *node) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, n.config.DialTimeout, errTimeout)
	defer cancel()
	c, err := n.connect(ctx)
	if remote.IsTimeout(err) {
		<-ctx.Done() // the socket may be early
	}
	ended := ctx.Err()
	if err == nil || ended == nil {
		return c, err
	}
	if context.Cause(ctx) == errTimeout {
		ended = errTimeout
	}
	return nil, fmt.Errorf("%w: %v", ended, err)
}

func (n *node) connect(ctx context.Context) (*conn, error) {
	raw, addr, err := n.dialServer(ctx)
	if err != nil {
		return nil, err
	}
	socket := &deadlineConn{Conn: raw}
	socket.attach(ctx)
	socket.begin(n.config.DialTimeout)
	var stream net.Conn = socket
	if n.config.TLS != nil {
		secure := tls.Client(socket, n.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, handshakeError(err)
		}
		stream = secure
	}
	c := &conn{socket: socket, addr: addr, secure: n.config.TLS != nil, probe: newProbe(raw), used: time.Now(), dialled: Clock(), w: writer{to: stream}, r: reader{
		Reader: bufio.NewReaderSize(stream, readBuffer), socket: socket,
		timeout: n.config.ReadTimeout, maxValue: n.config.MaxItemSize,
	}}
	if n.config.Username != "" {
		if err := n.protocol.login(c, n.config.Username, n.config.Password.Reveal()); err != nil {
			raw.Close()
			return nil, loginError(err)
		}
		if c.hasUnread() {
			raw.Close()
			return nil, ErrMalformed
		}
	}
	return c, nil
}

// tlsConfig names the host whose certificate is expected, and makes each write one
// record.
func (n *node) tlsConfig() *tls.Config {
	config := n.config.TLS.Clone()
	config.DynamicRecordSizingDisabled = true
	host, _, err := net.SplitHostPort(n.addr.String())
	if err == nil && config.ServerName == "" && !config.InsecureSkipVerify {
		config.ServerName = host
	}
	return config
}
