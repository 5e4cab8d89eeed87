//go:build unix

package wire

import (
	"errors"
	"net"
	"syscall"
)

// newProbe returns a function that reports whether the peer has kept the connection and
// sent nothing since the last read. It reads from the socket, so a connection on which
// something was found is of no further use. It does not block and needs no deadline.
func newProbe(socket net.Conn) func() bool {
	var raw syscall.RawConn
	err := errors.ErrUnsupported
	if system, ok := socket.(syscall.Conn); ok {
		raw, err = system.SyscallConn()
	}
	if err != nil {
		return func() bool { return true }
	}
	var quiet bool
	var b [1]byte
	read := func(fd uintptr) {
		_, err := syscall.Read(int(fd), b[:])
		quiet = err == syscall.EAGAIN
	}
	return func() bool {
		quiet = false
		return raw.Control(read) == nil && quiet
	}
}
