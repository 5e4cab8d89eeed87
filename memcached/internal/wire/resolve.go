package wire

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"
)

// A host name is one server, even if it has several addresses: if each connection chose
// one, a key would live in several places, and a deleted value would come back.

// lookupNetworks are the networks whose addresses may have a host name.
var lookupNetworks = map[string]string{"tcp": "ip", "tcp4": "ip4", "tcp6": "ip6"}

// addresses returns the addresses to try, in that order. All belong to one server.
func (n *node) addresses(ctx context.Context) ([]string, error) {
	host, port, err := net.SplitHostPort(n.addr.String())
	network := lookupNetworks[n.addr.Network()]
	_, notIP := netip.ParseAddr(host)
	if err != nil || network == "" || host == "" || notIP == nil {
		return []string{n.addr.String()}, nil
	}
	found, err := n.lookup(ctx, network, host)
	addrs, warn, err := n.choose(distinct(found), port, err)
	if warn {
		slog.WarnContext(ctx, "memcached: a host name with several addresses is one server; list every server by itself to use all of them",
			"server", n.addr.String(), "used", addrs[0], "addresses", len(found))
	}
	return addrs, err
}

// choose makes one of the addresses found that of the server. It reports whether there
// are others, once.
func (n *node) choose(found []netip.Addr, port string, err error) (addrs []string, warn bool, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(found) == 0 && n.current != "" {
		return []string{n.current}, false, nil // the name service is down, the server may be up
	}
	if len(found) == 0 {
		return nil, false, err
	}
	addrs = oneServer(found, port, n.current)
	n.use(addrs[0])
	warn = len(addrs) < len(found) && !n.warned
	n.warned = n.warned || warn
	return addrs, warn, nil
}

// distinct sorts addresses and removes duplicates.
func distinct(found []netip.Addr) []netip.Addr {
	for i := range found {
		found[i] = found[i].Unmap()
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found)
}

// oneServer returns the addresses of one server among those of a host name. One address of
// IPv4 and one of IPv6 are the same server. Otherwise there are several servers: the current
// one stays, or else the lowest address is used.
func oneServer(found []netip.Addr, port, current string) []string {
	addrs := make([]string, len(found))
	four := 0
	for i, addr := range found {
		addrs[i] = net.JoinHostPort(addr.String(), port)
		if addr.Is4() {
			four++
		}
	}
	if i := slices.Index(addrs, current); i > 0 {
		addrs = slices.Insert(slices.Delete(addrs, i, i+1), 0, current)
	}
	if four > 1 || len(addrs)-four > 1 {
		addrs = addrs[:1]
	}
	return addrs
}

// use makes addr the address of the server and closes the idle connections to another
// one. The caller holds mu.
func (n *node) use(addr string) {
	if n.current == addr {
		return
	}
	n.current = addr
	n.idle = slices.DeleteFunc(n.idle, func(c *conn) bool {
		if c.addr != addr {
			c.socket.Close()
		}
		return c.addr != addr
	})
}

// dialServer connects to the server. Each address has its part of the time that is left.
func (n *node) dialServer(ctx context.Context) (socket net.Conn, addr string, err error) {
	addrs, err := n.addresses(ctx)
	if err != nil {
		return nil, "", err
	}
	var failed error // of the first address
	for i, addr := range addrs {
		socket, err := dialOne(ctx, n.addr.Network(), addr, len(addrs)-i)
		if err == nil {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.use(addr)
			return socket, addr, nil
		}
		if failed == nil {
			failed = err
		}
	}
	return nil, "", failed
}

func dialOne(ctx context.Context, network, addr string, n int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && n > 1 {
		part, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
		defer cancel()
		ctx = part
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, addr)
}
