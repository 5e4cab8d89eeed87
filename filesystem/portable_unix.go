//go:build unix && (!linux || !(amd64 || arm64) || portable)

package filesystem

import (
	"io/fs"
	"os"
	"syscall"
)

// nonBlocking as a flag of open prevents waiting for the writer of a pipe.
const nonBlocking = syscall.O_NONBLOCK

// inheritOwner gives a new directory in root the owner of root, if this process may.
func inheritOwner(root *os.Root, name string, of fs.FileInfo) {
	if stat, ok := of.Sys().(*syscall.Stat_t); ok {
		root.Lchown(name, int(stat.Uid), int(stat.Gid))
	}
}
