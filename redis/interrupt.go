package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// call is the context of a command on its way through the driver. The driver gives a
// connection nothing of a context but its deadline. So the location of the deadline
// identifies the call.
type call struct {
	context.Context
	place *place
}

// place is a location, and the call that has it now, or had it before. The driver does not
// use a context after the command has returned: it dials with contexts of its own.
type place struct {
	zone  *time.Location
	call  call
	taken bool
}

// places holds every place by its location, and freePlaces those without a call.
var (
	places     sync.Map
	freePlaces struct {
		sync.Mutex
		list []*place
	}
)

func takePlace() *place {
	freePlaces.Lock()
	defer freePlaces.Unlock()
	if n := len(freePlaces.list); n > 0 {
		p := freePlaces.list[n-1]
		freePlaces.list = freePlaces.list[:n-1]
		return p
	}
	p := &place{zone: time.FixedZone("redis call", 0)}
	p.call.place = p
	places.Store(p.zone, p)
	return p
}

// longTime is a timeout that never passes. The driver gets it instead of the timeouts of
// Options, which would replace the deadline of a call; socket observes them.
const longTime = 100 * 365 * 24 * time.Hour

var noEnd = time.Now().Add(longTime / 2) // earlier than any deadline from longTime

// withCall returns a context that an exchange notices when it is cancelled. The caller
// must end it when the driver has returned.
func withCall(ctx context.Context) (context.Context, *call) {
	if _, ok := ctx.(*call); ok || ctx.Done() == nil {
		return ctx, nil
	}
	p := takePlace()
	p.call.Context, p.taken = ctx, true
	return &p.call, &p.call
}

// end frees the place of c, which may be nil.
func (c *call) end() {
	if c == nil {
		return
	}
	c.Context, c.place.taken = context.Background(), false
	freePlaces.Lock()
	defer freePlaces.Unlock()
	freePlaces.list = append(freePlaces.list, c.place)
}

// Deadline is called by the driver before it reads or writes.
func (c *call) Deadline() (time.Time, bool) {
	deadline, ok := c.Context.Deadline()
	if !ok {
		deadline = noEnd
	}
	return deadline.In(c.place.zone), true
}

// callOf returns the call whose deadline is t, or nil.
func callOf(t time.Time) *call {
	if p, ok := places.Load(t.Location()); ok && p.(*place).taken {
		return &p.(*place).call
	}
	return nil
}

const (
	// pollInterval is how often a waiting socket checks the context of its caller. It
	// saves each call a goroutine that would notice a cancellation at once.
	pollInterval = 20 * time.Millisecond

	// progress is how many bytes must arrive, or be sent, within a timeout. A reply may
	// take longer as a whole if it is larger.
	progress = 64 << 10
)

// socket is a connection whose reads and writes end with the context of the caller, or
// after a timeout without progress.
type socket struct {
	net.Conn
	read, write exchange
	raw         syscall.RawConn // nil before the first check
}

func newSocket(conn net.Conn, o Options) *socket {
	return &socket{Conn: conn,
		read:  exchange{setDeadline: conn.SetReadDeadline, timeout: o.ReadTimeout},
		write: exchange{setDeadline: conn.SetWriteDeadline, timeout: o.WriteTimeout}}
}

// SyscallConn is called by the driver to check an idle connection.
func (s *socket) SyscallConn() (raw syscall.RawConn, err error) {
	if s.raw != nil {
		return s.raw, nil
	}
	conn, ok := s.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	s.raw, err = conn.SyscallConn()
	return s.raw, err
}

// SetReadDeadline is called by the driver before it reads a reply.
func (s *socket) SetReadDeadline(t time.Time) error { s.read.begin(t); return nil }

// SetWriteDeadline is called by the driver before it sends a command.
func (s *socket) SetWriteDeadline(t time.Time) error { s.write.begin(t); return nil }

// SetDeadline is called by the driver, with zero, before it checks an idle connection.
func (s *socket) SetDeadline(t time.Time) error {
	s.read.begin(t)
	s.write.begin(t)
	s.read.current, s.write.current = t, t
	return s.Conn.SetDeadline(t)
}

func (s *socket) Read(p []byte) (int, error) {
	for {
		if err := s.read.next(); err != nil {
			return 0, err
		}
		n, err := s.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			s.read.advance(n)
			return n, err
		}
	}
}

func (s *socket) Write(p []byte) (done int, err error) {
	for {
		if err := s.write.next(); err != nil {
			return done, err
		}
		n, err := s.Conn.Write(p[done:])
		done += n
		s.write.advance(n)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
	}
}

// exchange is the reading of replies, or the writing of commands, from one call of begin
// to the next.
type exchange struct {
	setDeadline func(time.Time) error // of the socket
	timeout     time.Duration

	bounded  bool
	done     <-chan struct{} // of the caller's context
	call     *call           // which has that context until the exchange has ended
	deadline time.Time       // of the caller's context, or of the driver
	limit    time.Time       // end of the timeout, zero before the first read or write
	moved    int             // bytes since limit was set
	current  time.Time       // set on the socket
}

// begin begins an exchange that ends at t, or with the call whose deadline is t. The
// driver waits for notifications of sentinels without a bound: then t is zero.
func (e *exchange) begin(t time.Time) {
	e.bounded, e.done, e.call, e.deadline, e.limit = !t.IsZero(), nil, nil, t, time.Time{}
	if c := callOf(t); c != nil {
		e.done, e.call = c.Done(), c
		if deadline, ok := c.Context.Deadline(); ok {
			e.deadline = deadline // with a monotonic clock
		}
	}
}

// next sets the deadline of the socket to the next check of the context. It keeps a
// deadline that is near enough: a busy connection calls next a thousand times between two
// checks.
func (e *exchange) next() error {
	if !e.bounded {
		if e.current.IsZero() {
			return nil
		}
		e.current = time.Time{}
		return e.setDeadline(e.current)
	}
	select {
	case <-e.done:
		return interrupted{e.call.Err()}
	default:
	}
	now := time.Now()
	if !now.Before(e.deadline) {
		return interrupted{context.DeadlineExceeded}
	}
	if e.limit.IsZero() {
		e.limit, e.moved = now.Add(e.timeout), 0
	}
	if !now.Before(e.limit) {
		return errTimeout
	}
	next := now.Add(pollInterval)
	for _, end := range []time.Time{e.limit, e.deadline} {
		if end.Before(next) {
			next = end
		}
	}
	if e.current.After(next) || e.current.Sub(now) < min(pollInterval/4, next.Sub(now)) {
		e.current = next
		return e.setDeadline(next)
	}
	return nil
}

// advance counts n bytes that were read or written.
func (e *exchange) advance(n int) {
	if e.moved += n; e.moved >= progress {
		e.limit = time.Time{}
	}
}

// errTimeout is the error of an exchange that made no progress.
var errTimeout = fmt.Errorf("timed out waiting for the server: %w", os.ErrDeadlineExceeded)

// interrupted is the error of an exchange whose caller has left: a part of the command
// may have been sent.
type interrupted struct{ cause error }

func (e interrupted) Error() string { return e.cause.Error() }

// Unwrap returns the error of the caller's context.
func (e interrupted) Unwrap() error { return e.cause }

// isInterrupted reports whether the caller left during an exchange.
func isInterrupted(err error) bool {
	var e interrupted
	return errors.As(err, &e)
}
