package remote

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// IsPath reports whether addr is the path of a unix socket.
func IsPath(addr string) bool { return strings.HasPrefix(addr, "/") }

// CheckAddr returns what is wrong with addr, which must be "host:port" or, with
// pathAllowed, the path of a unix socket. The error completes the sentence "ADDR
// is ..." and repeats addr only if no credentials can be in it.
func CheckAddr(addr string, pathAllowed bool) error {
	if pathAllowed && IsPath(addr) {
		return nil
	}
	if strings.ContainsAny(addr, "@/") {
		return errors.New("a URL, not host:port") // there may be a password in it
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || strings.ContainsAny(host, " \t\r\n;,") {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q is not host:port: the port is not between 1 and 65535", addr)
	}
	return nil
}

// WithPort adds port to addrs that have none. Paths and URLs stay as they are, for
// [CheckAddr] to accept or refuse.
func WithPort(addrs []string, port int) []string {
	if addrs == nil {
		return nil // not given, which must not become an empty list
	}
	full := make([]string, len(addrs))
	for i, addr := range addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil && !strings.ContainsAny(addr, "@/; \t\r\n") && isHost(addr) {
			addr = net.JoinHostPort(strings.Trim(addr, "[]"), strconv.Itoa(port))
		}
		full[i] = addr
	}
	return full
}

// isHost reports whether addr can be a host alone: a name, an address of IPv4, or
// one of IPv6 with or without brackets.
func isHost(addr string) bool {
	return !strings.Contains(addr, ":") || net.ParseIP(strings.Trim(addr, "[]")) != nil
}

// IsLocal reports whether addr is on this machine: a path, localhost or a loopback
// address. A password that is sent there cannot be read on a network.
func IsLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err != nil || host == "" || host == "localhost" || net.ParseIP(host).IsLoopback()
}
