package uwsgi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// buffers hold a request, then the reply without its value. Buffers that grew for a
// large value are not kept.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

const bufferSize = 8 << 10

// roundTrip sends r on a new connection and returns the reply.
func (b *Backend) roundTrip(ctx context.Context, r request) (entry, error) {
	conn, err := b.connect(ctx)
	if err != nil {
		return entry{}, remote.Unsent{Err: err}
	}
	defer b.disconnect(conn)
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, func() { conn.SetDeadline(past) })()
	}

	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	conn.SetWriteDeadline(earlier(ctx, b.options.WriteTimeout))
	if err := r.send(conn, buffer[:0], b.options.Cache); err != nil {
		return entry{}, remote.Unsent{Err: err} // in part: the server does not execute it
	}
	conn.SetReadDeadline(earlier(ctx, b.options.ReadTimeout))
	if ctx.Err() != nil { // the line above may have replaced the deadline in the past
		conn.SetReadDeadline(past)
	}
	e, err := readReply(conn, buffer[:], uint64(max(b.options.MaxValue, minReply)), r.memory)
	if remote.IsTimeout(err) && remote.Ended(ctx) == nil {
		err = fmt.Errorf("timed out waiting for the server: its workers are busy, or %s is not a uwsgi socket (--socket): %w", b.options.Addr, err)
	}
	return e, err
}

// roundTripAgain is roundTrip for a request that may be executed twice: it is sent once
// more if the connection breaks. If that fails as well, the error is the first one,
// because the server may have executed the first request.
func (b *Backend) roundTripAgain(ctx context.Context, r request) (entry, error) {
	e, err := b.roundTrip(ctx, r)
	if remote.IsBroken(err) {
		if e, retry := b.roundTrip(ctx, r); retry == nil || retry == errNoReply {
			return e, retry
		}
	}
	return e, err
}

// past makes every operation on a connection fail at once.
var past = time.Unix(1, 0)

// earlier returns the end of timeout or the deadline of ctx.
func earlier(ctx context.Context, timeout time.Duration) time.Time {
	end := time.Now().Add(timeout)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		return deadline
	}
	return end
}

// connect waits for a free slot and connects, both within DialTimeout.
func (b *Backend) connect(ctx context.Context) (net.Conn, error) {
	if b.closed.Load() {
		return nil, driver.ErrClosed
	}
	limited := withDeadline{ctx, earlier(ctx, b.options.DialTimeout)}
	select {
	case b.slots <- struct{}{}:
	default:
		waiting, cancel := context.WithDeadline(ctx, limited.deadline)
		defer cancel()
		select {
		case b.slots <- struct{}{}:
		case <-waiting.Done():
			return nil, errPoolExhausted
		}
	}
	conn, err := b.dialer.dial(limited)
	if err != nil {
		<-b.slots
	}
	return conn, err
}

// withDeadline is a context with a deadline that no timer enforces. Package net sets
// the deadline on the socket. If the parent cannot be cancelled, net then needs no
// goroutine for each connection, which would cost as much as the rest of the call.
type withDeadline struct {
	context.Context
	deadline time.Time
}

func (c withDeadline) Deadline() (time.Time, bool) { return c.deadline, true }

// disconnect closes conn with a reset: everything has been read, or no caller needs the
// rest. An orderly close would keep the local port of each call in use for a minute.
func (b *Backend) disconnect(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
	<-b.slots
}

// dialer connects to the server.
type dialer struct {
	net.Dialer
	network, addr string
	byName        bool // addr has a host name, which the resolver looks up
}

func newDialer(o Options) dialer {
	d := dialer{Dialer: net.Dialer{KeepAlive: -1}, network: "tcp", addr: o.Addr} // connections are too short for keep-alive
	if remote.IsPath(o.Addr) {
		d.network = "unix"
		return d
	}
	host, _, _ := net.SplitHostPort(o.Addr)
	d.byName = net.ParseIP(host) == nil
	return d
}

// dial connects. A unix socket refuses connections while its queue is full, so dial
// tries again; for TCP the kernel waits.
func (d dialer) dial(limited withDeadline) (net.Conn, error) {
	ctx := context.Context(limited)
	if d.byName { // only the end of its context ends a lookup
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(limited.Context, limited.deadline)
		defer cancel()
	}
	for {
		conn, err := d.DialContext(ctx, d.network, d.addr)
		if !errors.Is(err, syscall.EAGAIN) || time.Now().After(limited.deadline) || remote.Sleep(ctx, time.Millisecond) != nil {
			return conn, err
		}
	}
}
