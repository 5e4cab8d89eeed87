//go:build unix

package wire

import (
	"syscall"
	"time"
)

// idleProbeAfter is how long an idle connection is trusted without a probe, which
// costs a system call.
const idleProbeAfter = 100 * time.Millisecond

// isAlive reports whether the server has kept the connection and sent nothing on it
// since the last reply.
func (c *conn) isAlive() bool {
	if time.Since(c.used) < idleProbeAfter {
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
	c.socket.current = time.Time{} // an expired deadline would make Read fail at once
	if err := c.socket.SetDeadline(c.socket.current); err != nil {
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
