//go:build !unix

package redis

// isSilent is not implemented, nor is the driver's check of an idle connection.
func isSilent(uintptr) bool { return true }
