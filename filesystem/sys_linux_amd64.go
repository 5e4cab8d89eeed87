//go:build !portable

package filesystem

import "syscall"

const (
	sysFstatat   = syscall.SYS_NEWFSTATAT
	sysRenameat2 = 316 // newer than the table of package syscall
)
