package uwsgi

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// buffers hold a request, then its answer up to the value. Larger ones, for large
// values, are not kept.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

const bufferSize = 8 << 10

// exchange sends one request on a connection of its own and returns the answer.
func (b *Backend) exchange(ctx context.Context, r request) (entry, error) {
	conn, err := b.connect(ctx)
	if err != nil {
		return entry{}, notSent{err}
	}
	defer b.hangUp(conn)
	deadline := time.Now().Add(b.o.ReadTimeout)
	if end, limited := ctx.Deadline(); limited && end.Before(deadline) {
		deadline = end
	}
	conn.SetDeadline(deadline)
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	}

	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	data := r.appendTo(buffer[:0], b.o.Cache)
	if _, err := conn.Write(data); err != nil {
		return entry{}, notSent{err} // not in full: the server does nothing before it has all
	}
	return readAnswer(conn, buffer[:])
}

// connect waits for its turn and connects, both within DialTimeout.
func (b *Backend) connect(ctx context.Context) (net.Conn, error) {
	if b.closed.Load() {
		return nil, cache.ErrClosed
	}
	limited := until{ctx, time.Now().Add(b.o.DialTimeout)}
	select {
	case b.slots <- struct{}{}:
	default:
		if err := b.wait(limited); err != nil {
			return nil, err
		}
	}
	conn, err := b.dialer.dial(limited)
	if err != nil {
		<-b.slots
	}
	return conn, err
}

// wait is for the end of another connection.
func (b *Backend) wait(limited until) error {
	ctx, cancel := context.WithDeadline(limited.Context, limited.end)
	defer cancel()
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errBusy
	}
}

// until is a context with a deadline that nobody watches. The net package puts it on
// the socket itself, and for a context that cannot be cancelled needs no goroutine
// beside each connection, which costs as much as all else that we do.
type until struct {
	context.Context
	end time.Time
}

func (u until) Deadline() (time.Time, bool) {
	if end, limited := u.Context.Deadline(); limited && end.Before(u.end) {
		return end, true
	}
	return u.end, true
}

var errBusy = errors.New("all connections that MaxConns allows are in use")

// hangUp closes conn with a reset: everything has been read, or nobody wants the
// rest. A plain close would keep the port of each call busy for a minute.
func (b *Backend) hangUp(conn net.Conn) {
	if tcp, is := conn.(*net.TCPConn); is {
		tcp.SetLinger(0)
	}
	conn.Close()
	<-b.slots
}

// dialer connects to one server.
type dialer struct {
	net.Dialer
	network, addr string
	named         bool // by a host name, which has to be looked up
}

func newDialer(o Options) dialer {
	d := dialer{Dialer: net.Dialer{KeepAlive: -1}, network: "tcp", addr: o.Addr} // a connection is too short to be kept alive
	if isPath(o.Addr) {
		d.network = "unix"
		return d
	}
	host, _, _ := net.SplitHostPort(o.Addr)
	d.named = net.ParseIP(host) == nil
	return d
}

// dial waits where the queue of a unix socket is full; that of TCP does so itself.
func (d dialer) dial(limited until) (net.Conn, error) {
	ctx := context.Context(limited)
	if d.named { // nothing but the end of a context ends a look-up
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(limited.Context, limited.end)
		defer cancel()
	}
	for {
		conn, err := d.DialContext(ctx, d.network, d.addr)
		if !errors.Is(err, syscall.EAGAIN) || time.Now().After(limited.end) || pause(ctx, time.Millisecond) != nil {
			return conn, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
