//go:build unix && (!linux || !(amd64 || arm64) || portable)

package filesystem

import "syscall"

// nonBlocking as a flag of open prevents waiting for the writer of a pipe.
const nonBlocking = syscall.O_NONBLOCK
