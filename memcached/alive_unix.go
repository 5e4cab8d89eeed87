//go:build unix

package memcached

import (
	"syscall"
	"time"
)

// restful is how long an idle connection is trusted. It is looked at after that,
// which costs a system call.
const restful = 100 * time.Millisecond

// isAlive reports whether the server has kept the connection, and has said nothing
// on it that nobody asked for.
func (c *conn) isAlive() bool {
	now := time.Now()
	if now.Sub(c.used) < restful {
		return true
	}
	socket, ok := c.socket.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	c.socket.armed = time.Time{} // with the old one passed it would not look
	if err := c.socket.SetDeadline(c.socket.armed); err != nil {
		return false
	}
	var quiet bool
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		quiet = err == syscall.EAGAIN
		return true
	})
	return err == nil && quiet
}
