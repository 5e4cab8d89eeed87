//go:build !unix

package redis

// isSilent is true: on these platforms neither this package nor the driver can check an idle
// connection.
func isSilent(uintptr) bool { return true }
