//go:build !portable

package filesystem

import "syscall"

const (
	sysFstatat   = syscall.SYS_NEWFSTATAT
	sysRenameat2 = 316 // younger than package syscall's table
)
