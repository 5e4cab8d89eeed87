//go:build unix

package redis

import "syscall"

// isSilent reports whether a socket has neither data to read nor an end.
func isSilent(fd uintptr) bool {
	var next [1]byte
	_, _, err := syscall.Recvfrom(int(fd), next[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
}
