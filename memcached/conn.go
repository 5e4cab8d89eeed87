package memcached

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// patience says how long a caller waits. Contexts are such.
type patience interface {
	Deadline() (deadline time.Time, ok bool)
	Err() error
}

// glance is how often a connection that waits looks whether its caller still
// does. It spares each call a goroutine or a timer to be told at once.
const glance = 20 * time.Millisecond

// errSilent ends the wait for a server that takes too long.
var errSilent = errors.New("no answer in time")

// patient is a socket that waits as long as its caller does.
type patient struct {
	net.Conn
	caller   patience
	deadline time.Time     // of the caller; zero where there is none
	timeout  time.Duration // of what is under way
	limit    time.Time     // its end; zero before the first wait
	armed    time.Time     // the deadline that the socket has
	written  int           // bytes, since serve
}

// serve makes p wait as long as caller does.
func (p *patient) serve(caller patience) {
	p.caller, p.written, p.deadline = caller, 0, time.Time{}
	if deadline, ok := caller.Deadline(); ok {
		p.deadline = deadline
	}
}

// allow gives what begins now so much time.
func (p *patient) allow(timeout time.Duration) { p.timeout, p.limit = timeout, time.Time{} }

// arm sets the deadline of the socket to the next glance, unless the present one
// serves as well: a busy connection comes here a thousand times between two.
func (p *patient) arm() error {
	if err := p.caller.Err(); err != nil {
		return err
	}
	now := time.Now()
	if p.limit.IsZero() {
		p.limit = now.Add(p.timeout)
	}
	next := now.Add(glance)
	if p.limit.Before(next) {
		next = p.limit
	}
	if !p.deadline.IsZero() && p.deadline.Before(next) {
		next = p.deadline
	}
	switch {
	case now.Before(next):
	case next.Equal(p.deadline):
		return context.DeadlineExceeded
	default:
		return errSilent
	}
	if p.armed.After(next) || p.armed.Sub(now) < min(glance/4, next.Sub(now)) {
		p.armed = next
		return p.Conn.SetDeadline(next)
	}
	return nil
}

func (p *patient) Read(b []byte) (int, error) {
	for {
		if err := p.arm(); err != nil {
			return 0, err
		}
		n, err := p.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

func (p *patient) Write(b []byte) (int, error) {
	for done := 0; ; {
		if err := p.arm(); err != nil {
			return done, err
		}
		n, err := p.Conn.Write(b[done:])
		done += n
		p.written += n
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
	}
}

// conn is a connection to a server. One caller at a time uses it.
type conn struct {
	stream net.Conn // over socket, with TLS or without
	socket *patient
	out    out
	in     in
	used   time.Time // last
}

// maxKept is how large the buffer of a connection may stay.
const maxKept = 64 << 10

// dial connects and logs in, all within Options.DialTimeout.
func (w *wire) dial(ctx context.Context, addr net.Addr) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.options.DialTimeout, errSilent)
	defer cancel()
	c, err := w.connect(ctx, addr)
	if isTimeout(err) {
		<-ctx.Done() // the socket may be early
	}
	switch {
	case err == nil || ctx.Err() == nil:
		return c, err
	case context.Cause(ctx) == errSilent:
		return nil, errSilent
	}
	return nil, ctx.Err()
}

func (w *wire) connect(ctx context.Context, addr net.Addr) (*conn, error) {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return nil, err
	}
	c := &conn{socket: &patient{Conn: raw}}
	c.stream = c.socket
	c.socket.serve(ctx)
	c.socket.allow(w.options.DialTimeout)
	if w.options.TLS != nil {
		secure := tls.Client(c.socket, w.tlsFor(addr))
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		c.stream = secure
	}
	c.out = out{to: c.stream}
	c.in = in{Reader: bufio.NewReaderSize(c.stream, bufferSize), socket: c.socket, limit: w.options.MaxItemSize, timeout: w.options.ReadTimeout}
	if w.credentials != nil {
		username, password := w.credentials()
		if err := w.protocol.login(c, username, password); err != nil {
			raw.Close()
			return nil, err
		}
	}
	return c, nil
}

// tlsFor names the host whose certificate is expected, and has all that is written at
// once sent as one record.
func (w *wire) tlsFor(addr net.Addr) *tls.Config {
	config := w.options.TLS.Clone()
	config.DynamicRecordSizingDisabled = true
	host, _, err := net.SplitHostPort(addr.String())
	if err == nil && config.ServerName == "" && !config.InsecureSkipVerify {
		config.ServerName = host
	}
	return config
}

// bufferSize is that of the reader of a connection, and the longest line.
const bufferSize = 16 << 10

// in reads answers, and trusts none.
type in struct {
	*bufio.Reader
	socket  *patient
	timeout time.Duration // of one answer
	limit   int           // of the length of a value
	slab    []byte        // memory for small values that are read together
}

var errNonsense = errors.New("the answer is none that memcached gives")

// next begins the wait for another answer.
func (in *in) next() { in.socket.allow(in.timeout) }

// line returns a line without its end. It is valid until the next read.
func (in *in) line() ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errNonsense
	}
	if err != nil {
		return nil, err
	}
	line, ok := bytes.CutSuffix(line, crlf)
	if !ok {
		return nil, errNonsense
	}
	return line, nil
}

// value reads n bytes: into room, where that is of the size, otherwise into memory of
// their own. Where several values are read together, small ones share it.
func (in *in) value(n int, together bool, room []byte) ([]byte, error) {
	if n < 0 || n > in.limit {
		return nil, errNonsense
	}
	value := room
	if len(room) != n || room == nil {
		value = in.memory(n, together)
	}
	if _, err := io.ReadFull(in, value); err != nil {
		return nil, err
	}
	return value, nil
}

func (in *in) memory(n int, together bool) []byte {
	const small, slab = 256, 8 << 10
	if !together || n > small {
		return make([]byte, n)
	}
	if len(in.slab) < max(n, 1) { // an empty value is not nil either
		in.slab = make([]byte, slab)
	}
	value := in.slab[:n:n]
	in.slab = in.slab[n:]
	return value
}

// out gathers the bytes of requests.
type out struct {
	buf []byte
	to  net.Conn // where what is too large to be copied goes at once; nil to gather all
	err error
}

// uncopied is the size from which a value is not copied into the buffer.
const uncopied = 16 << 10

func (o *out) value(value []byte) {
	if o.to == nil || len(value) < uncopied {
		o.buf = append(o.buf, value...)
		return
	}
	o.flush()
	if o.err == nil {
		_, o.err = o.to.Write(value)
	}
}

// flush writes what has been gathered.
func (o *out) flush() {
	if o.err == nil && len(o.buf) > 0 {
		_, o.err = o.to.Write(o.buf)
	}
	if cap(o.buf) > maxKept {
		o.buf = nil
	}
	o.buf = o.buf[:0]
}

// end writes the rest, and returns what went wrong.
func (o *out) end() error {
	o.flush()
	err := o.err
	o.err = nil
	return err
}
