package redis

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
)

// connections are those of the client of a primary that sentinels monitor. The driver
// closes the connections to an old primary when the sentinel to which it has subscribed
// reports the failover. That may be a second after this sentinel names the new primary, and
// the old one may reply as a primary until then.
type connections struct {
	mu   sync.Mutex
	open map[*trackedConn]struct{}
}

// closeOthers closes the connections that do not lead to one of the addresses.
func (c *connections) closeOthers(addrs []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if !slices.Contains(addrs, conn.RemoteAddr().String()) {
			delete(c.open, conn)
			conn.Conn.Close()
		}
	}
}

// DialHook remembers every new connection.
func (c *connections) DialHook(dial goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		tracked := &trackedConn{Conn: conn, in: c}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open[tracked] = struct{}{}
		return tracked, nil
	}
}

// ProcessHook changes nothing.
func (c *connections) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

// ProcessPipelineHook changes nothing.
func (c *connections) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// trackedConn is one of the connections until it is closed.
type trackedConn struct {
	net.Conn
	in *connections
}

func (c *trackedConn) Close() error {
	c.in.mu.Lock()
	delete(c.in.open, c)
	c.in.mu.Unlock()
	return c.Conn.Close()
}

// SyscallConn lets the driver check an idle connection.
func (c *trackedConn) SyscallConn() (syscall.RawConn, error) {
	if conn, ok := c.Conn.(syscall.Conn); ok {
		return conn.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
