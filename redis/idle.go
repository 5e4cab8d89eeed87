package redis

import (
	"errors"
	"syscall"
)

// silentSocket is the socket below TLS, as the driver may see it when it checks an idle
// connection. The driver would read a waiting byte through TLS, which may block: the byte
// may belong to an alert or a key update. So whatever arrives makes the check fail.
type silentSocket struct{ syscall.Conn }

// SyscallConn is called by the driver for each check.
func (s silentSocket) SyscallConn() (syscall.RawConn, error) {
	raw, err := s.Conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	return silentRawConn{raw}, nil
}

type silentRawConn struct{ syscall.RawConn }

// Read returns an error if the peer has sent something or ended the connection.
func (r silentRawConn) Read(func(fd uintptr) (done bool)) error {
	silent := false
	if err := r.RawConn.Read(func(fd uintptr) bool { silent = isSilent(fd); return true }); err != nil {
		return err
	}
	if !silent {
		return errNotSilent
	}
	return nil
}

var errNotSilent = errors.New("the server has sent something or closed the connection")
