//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filesystem

import "syscall"

// tryFlock locks the open directory fd unless another process has locked it. The
// kernel releases the lock of a process that dies.
func tryFlock(fd int) (bool, error) {
	err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK || err == syscall.EINTR {
		return false, nil
	}
	return err == nil, err
}

func unFlock(fd int) { syscall.Flock(fd, syscall.LOCK_UN) }
