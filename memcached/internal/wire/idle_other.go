//go:build !unix

package wire

import "net"

// newProbe returns nil: there is no portable probe.
func newProbe(net.Conn) func() bool { return nil }
