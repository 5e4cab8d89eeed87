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

// CheckAddr returns an error if addr is not valid. It must be "host:port" or, with
// pathAllowed, the path of a unix socket. The error completes the sentence "ADDR is
// ..." and repeats addr only if it cannot contain credentials.
func CheckAddr(addr string, pathAllowed bool) error {
	if pathAllowed && IsPath(addr) {
		return nil
	}
	if strings.ContainsAny(addr, "@/") {
		return errors.New("a URL, not host:port") // it may contain a password
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

// WithPort adds port to addrs that have none. Paths and URLs are unchanged;
// [CheckAddr] accepts or rejects them.
func WithPort(addrs []string, port int) []string {
	if addrs == nil {
		return nil // nil means not given, an empty list does not
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

// isHost reports whether addr can be a host without a port: a name, an IPv4 address,
// or an IPv6 address with or without brackets.
func isHost(addr string) bool {
	return !strings.Contains(addr, ":") || net.ParseIP(strings.Trim(addr, "[]")) != nil
}

// IsLocal reports whether addr is on this machine: a path, localhost or a loopback
// address. A password that is sent to it does not cross a network.
func IsLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err != nil || host == "" || host == "localhost" || net.ParseIP(host).IsLoopback()
}
