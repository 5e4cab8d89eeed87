//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package filesystem

// tryFlock always succeeds: this platform has no flock.
func tryFlock(int) (bool, error) { return true, nil }

func unFlock(int) {}
