package remote

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
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
	if strings.ContainsAny(addr, "@/?") {
		return errors.New("a URL, not host:port") // it may contain a password
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !isHost(host) || strings.HasPrefix(addr, "[") && !strings.Contains(host, ":") {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < 1 {
		return fmt.Errorf("%q is not host:port: the port is not between 1 and 65535", addr)
	}
	return nil
}

// isHost reports whether host has no character that a name or an IP address cannot
// have: what is left of the notation of a list, for example.
func isHost(host string) bool {
	return host != "" && !strings.ContainsFunc(host, func(r rune) bool {
		return strings.ContainsRune(" ;,\"'[]", r) || !unicode.IsPrint(r)
	})
}

// WithPort adds port to addrs that have none. Paths and URLs are unchanged;
// [CheckAddr] accepts or rejects them.
func WithPort(addrs []string, port int) []string {
	if addrs == nil {
		return nil // nil means not given, an empty list does not
	}
	full := make([]string, len(addrs))
	for i, addr := range addrs {
		if host, ok := hostAlone(addr); ok {
			addr = net.JoinHostPort(host, strconv.Itoa(port))
		}
		full[i] = addr
	}
	return full
}

// hostAlone returns addr, if it is a name or an IP address without a port, as
// net.JoinHostPort takes it: brackets around an address of IPv6 are removed.
func hostAlone(addr string) (host string, ok bool) {
	if inner, ok := strings.CutPrefix(addr, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return inner, ok && isIPv6(inner)
	}
	if strings.Contains(addr, ":") {
		return addr, isIPv6(addr)
	}
	return addr, isHost(addr) && !strings.ContainsAny(addr, "@/?")
}

func isIPv6(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Is6()
}

// IsLocal reports whether addr is on this machine: a path, localhost or a loopback
// address, with or without a port. A password that is sent to it does not cross a
// network.
func IsLocal(addr string) bool {
	if IsPath(addr) {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	return host == "" || strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
