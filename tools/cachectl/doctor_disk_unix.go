//go:build linux || darwin || freebsd

package main

import "golang.org/x/sys/unix"

// freeOf returns which parts of the bytes and inodes of the file system of dir are free for
// this user.
func freeOf(dir string) (space, inodes float64, ok bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil || s.Blocks == 0 {
		return 0, 0, false
	}
	space, inodes = float64(s.Bavail)/float64(s.Blocks), 1
	if s.Files > 0 { // some file systems do not count inodes
		inodes = float64(s.Ffree) / float64(s.Files)
	}
	return space, inodes, true
}
