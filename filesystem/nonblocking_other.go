//go:build !unix

package filesystem

// nonBlocking is not needed: this platform has no pipes in directories.
const nonBlocking = 0
