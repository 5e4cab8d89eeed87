// Package proxy stands between a client and a server and breaks their
// connection in the ways in which networks and servers do.
package proxy

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Fault is what a Proxy does to connections.
type Fault int

// The faults. Those about replies strike when the server answers: the request
// has then reached it.
const (
	Pass         Fault = iota // nothing
	Refuse                    // nobody listens, and open connections are reset
	Reset                     // replies are a reset of the connection
	Blackhole                 // nothing gets through in either direction, and nothing ends
	Latency                   // requests reach the server after Proxy.Delay
	PartialHang               // the first half of a reply, then silence
	PartialReset              // the first half of a reply, then a reset
	Garbage                   // replies are replaced by Proxy.Forged
	LostReply                 // one reply is dropped and its connection reset; then Pass
	Drip                      // replies come at one byte per 40 ms
)

// Proxy forwards connections to a server. Its methods may be called while it
// works; a fault strikes connections that are open, too.
type Proxy struct {
	Delay  time.Duration // of Latency; set it before the fault
	Forged []byte        // what Garbage sends; set it before the fault

	addr, server string
	fault        atomic.Int32

	dials, requests, sent, received atomic.Int64

	mu       sync.Mutex
	listener net.Listener          // nil while nobody listens
	open     map[net.Conn]struct{} // nil when closed
	closed   sync.WaitGroup
	end      chan struct{}
}

// New listens on a port of its own for connections to server, "host:port".
func New(server string) (*Proxy, error) {
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		Delay: 300 * time.Millisecond, Forged: bytes.Repeat([]byte("\xff\x00!garbage 4294967295\r\n"), 4),
		addr: listener.Addr().String(), server: server,
		listener: listener, open: map[net.Conn]struct{}{}, end: make(chan struct{}),
	}
	p.closed.Go(func() { p.accept(listener) })
	return p, nil
}

// listen takes a port below those that systems give to outgoing connections:
// one of these could sit on it when Refuse ends.
func listen() (listener net.Listener, err error) {
	for range 100 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(24000+rand.IntN(6000)))
		if listener, err = net.Listen("tcp", addr); err == nil {
			return listener, nil
		}
	}
	return nil, err
}

// Addr is where the client connects to.
func (p *Proxy) Addr() string { return p.addr }

// Set makes f the fault from now on. The error is that of listening again after
// Refuse, on a port that somebody else may have taken.
func (p *Proxy) Set(f Fault) error {
	p.fault.Store(int32(f))
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case f == Refuse:
		p.stopListening()
		p.resetAll()
	case p.listener == nil && p.open != nil:
		listener, err := net.Listen("tcp", p.addr)
		if err != nil {
			return err
		}
		p.listener = listener
		p.closed.Go(func() { p.accept(listener) })
	}
	return nil
}

func (p *Proxy) stopListening() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

func (p *Proxy) resetAll() {
	for conn := range p.open {
		reset(conn)
	}
}

// Counts returns what has passed since the start: connections made, requests
// (counted by turns: bytes from the client after bytes from the server), and
// bytes from and to the client.
func (p *Proxy) Counts() (dials, requests, sent, received int64) {
	return p.dials.Load(), p.requests.Load(), p.sent.Load(), p.received.Load()
}

// Drop resets all connections that are open.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resetAll()
}

// Close ends the proxy and all connections. The error is always nil.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.stopListening()
	p.resetAll()
	if p.open != nil {
		close(p.end)
	}
	p.open = nil
	p.mu.Unlock()
	p.closed.Wait()
	return nil
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		p.dials.Add(1)
		if !p.hold(listener, client) {
			reset(client)
			continue
		}
		p.closed.Go(func() { p.serve(listener, client) })
	}
}

// serve is one connection. Each direction ends both.
func (p *Proxy) serve(listener net.Listener, client net.Conn) {
	defer p.release(client)
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		reset(client)
		return
	}
	if !p.hold(listener, server) {
		reset(client)
		server.Close()
		return
	}
	defer p.release(server)
	var both sync.WaitGroup
	var answered atomic.Bool
	answered.Store(true)
	pump := func(from net.Conn, forward func([]byte) bool) {
		// The client may have left; if it has not, it sees an error, and an end only
		// where the server has made one.
		defer server.Close()
		defer reset(client)
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if n > 0 && !forward(buffer[:n]) {
				return
			}
			if err == io.EOF && from == server {
				client.Close() // an end, as the server made it
			}
			if err != nil {
				return
			}
		}
	}
	both.Go(func() {
		pump(client, func(data []byte) bool {
			p.sent.Add(int64(len(data)))
			if answered.Swap(false) {
				p.requests.Add(1)
			}
			switch Fault(p.fault.Load()) {
			case Blackhole:
				return true
			case Latency:
				p.wait(p.Delay)
			}
			_, err := server.Write(data)
			return err == nil
		})
	})
	both.Go(func() {
		pump(server, func(data []byte) bool {
			answered.Store(true)
			p.received.Add(int64(len(data)))
			return p.reply(client, data)
		})
	})
	both.Wait()
}

// reply sends the client what the fault makes of data, and reports whether the
// connection goes on.
func (p *Proxy) reply(client net.Conn, data []byte) bool {
	send := func(data []byte) bool {
		_, err := client.Write(data)
		return err == nil
	}
	switch Fault(p.fault.Load()) {
	case Reset:
		return false
	case Blackhole:
		return true
	case PartialHang:
		send(data[:len(data)/2])
		<-p.end
		return false
	case PartialReset:
		send(data[:len(data)/2])
		return false
	case Garbage:
		return send(p.Forged)
	case LostReply:
		// Of several connections, only one loses its reply.
		if p.fault.CompareAndSwap(int32(LostReply), int32(Pass)) {
			return false
		}
	case Drip:
		for i := range data {
			p.wait(40 * time.Millisecond)
			if !send(data[i : i+1]) {
				return false
			}
		}
		return true
	}
	return send(data)
}

func (p *Proxy) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.end:
	}
}

// hold keeps conn for Drop, and reports whether that is wanted: no longer after
// Refuse or Close, which may come between accepting a connection and this.
func (p *Proxy) hold(listener net.Listener, conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != listener {
		return false
	}
	p.open[conn] = struct{}{}
	return true
}

func (p *Proxy) release(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

// reset closes conn so that the other side sees an error, not an end.
func reset(conn net.Conn) {
	if tcp, is := conn.(*net.TCPConn); is {
		tcp.SetLinger(0)
	}
	conn.Close()
}
