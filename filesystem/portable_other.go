//go:build !unix

package filesystem

import (
	"io/fs"
	"os"
)

// nonBlocking is not needed: this platform has no pipes in directories.
const nonBlocking = 0

// inheritOwner does nothing: files inherit their access from the directory.
func inheritOwner(*os.Root, string, fs.FileInfo) {}
