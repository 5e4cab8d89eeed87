// Package proxy forwards connections to a server and injects faults: it delays,
// drops, cuts and forges what networks and servers may delay, drop, cut or damage.
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

// Fault is what a [Proxy] does to connections.
type Fault int

// The faults. A fault of replies takes effect when the server answers, so the server
// has received the request.
const (
	Pass         Fault = iota // no fault
	Refuse                    // connections are refused, and open ones are reset
	Reset                     // the connection is reset in place of a reply
	Blackhole                 // no bytes arrive in either direction, and connections stay open
	Latency                   // requests reach the server after Proxy.Delay, counted from their beginning
	PartialHang               // the first half of a reply, then silence
	PartialReset              // the first half of a reply, then a reset
	Garbage                   // replies are replaced with Proxy.Forged
	LostReply                 // the reply to one request is dropped and its connection is reset; then Pass
	Drip                      // replies arrive at one byte per 40 ms
	Late                      // one request is kept for Proxy.Deliver and its connection is reset; then Pass
)

const bufferSize = 64 << 10

// Proxy forwards connections to a server. Its methods are safe for concurrent use. A
// fault also affects open connections.
type Proxy struct {
	Delay  time.Duration // of Latency; set it before calling Set
	Forged []byte        // what Garbage sends; set it before calling Set

	addr, server string
	fault        atomic.Int32

	dials, requests, sent, received atomic.Int64

	mu       sync.Mutex
	listener net.Listener          // nil while connections are refused
	open     map[net.Conn]struct{} // nil when closed
	late     []byte                // of Late
	closed   sync.WaitGroup
	closing  chan struct{}
}

// New listens on a port of the loopback address for connections to server,
// "host:port". Call Close to release the port.
func New(server string) (*Proxy, error) {
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		Delay: 300 * time.Millisecond, Forged: bytes.Repeat([]byte("\xff\x00!garbage 4294967295\r\n"), 4),
		addr: listener.Addr().String(), server: server,
		listener: listener, open: map[net.Conn]struct{}{}, closing: make(chan struct{}),
	}
	p.closed.Go(func() { p.accept(listener) })
	return p, nil
}

// listen takes a port below the range of outgoing connections, one of which could
// occupy the port before Refuse ends.
func listen() (listener net.Listener, err error) {
	for range 100 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(24000+rand.IntN(6000)))
		if listener, err = net.Listen("tcp", addr); err == nil {
			return listener, nil
		}
	}
	return nil, err
}

// Addr returns the address of the proxy, "host:port".
func (p *Proxy) Addr() string { return p.addr }

// Set sets the fault. It returns an error if the proxy cannot listen again after
// Refuse, because another program has taken the port.
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

// Counts returns what has passed through the proxy since New: connections, round
// trips (bytes from the client after bytes from the server), and bytes from and to
// the client.
func (p *Proxy) Counts() (dials, requests, sent, received int64) {
	return p.dials.Load(), p.requests.Load(), p.sent.Load(), p.received.Load()
}

// Drop resets all open connections.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resetAll()
}

// Deliver sends the request that Late has kept to the server, on a connection of its own, and
// waits for a reply. So networks deliver what was sent on a connection that has broken. It
// reports whether there was such a request. The request must have arrived in one piece.
func (p *Proxy) Deliver() (delivered bool, err error) {
	p.mu.Lock()
	data := p.late
	p.late = nil
	p.mu.Unlock()
	if data == nil {
		return false, nil
	}
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return false, err
	}
	defer server.Close()
	if _, err = server.Write(data); err == nil {
		_ = server.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err = server.Read(make([]byte, bufferSize))
	}
	return err == nil, err
}

// Close resets all connections and ends the proxy. The error is always nil.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.stopListening()
	p.resetAll()
	if p.open != nil {
		close(p.closing)
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

// serve forwards one connection in both directions.
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
	l := &link{Proxy: p, client: client, server: server}
	l.answered.Store(true)
	var both sync.WaitGroup
	both.Go(l.forwardRequests)
	both.Go(l.forwardReplies)
	both.Wait()
}

// link is one connection through the proxy. The end of one direction ends both.
type link struct {
	*Proxy
	client, server net.Conn
	answered       atomic.Bool // bytes came from the server after those of the client
}

func (l *link) forwardRequests() {
	defer l.end()
	buffer := make([]byte, bufferSize)
	for {
		n, err := l.client.Read(buffer)
		if n > 0 && !l.request(buffer[:n]) || err != nil {
			return
		}
	}
}

func (l *link) forwardReplies() {
	defer l.end()
	buffer := make([]byte, bufferSize)
	for {
		n, err := l.server.Read(buffer)
		if n > 0 && !l.reply(buffer[:n]) {
			return
		}
		if err == io.EOF {
			l.client.Close() // without a reset, because the server has closed without one
		}
		if err != nil {
			return
		}
	}
}

// end closes both connections, that of the client with a reset.
func (l *link) end() {
	reset(l.client)
	l.server.Close()
}

// request sends data to the server as the fault allows, and reports whether the
// connection goes on.
func (l *link) request(data []byte) bool {
	l.sent.Add(int64(len(data)))
	begins := l.answered.Swap(false)
	if begins {
		l.requests.Add(1)
	}
	switch Fault(l.fault.Load()) {
	case Blackhole:
		return true
	case Latency:
		if begins { // the rest of a request is on its way meanwhile
			l.wait(l.Delay)
		}
	case Late:
		if l.fault.CompareAndSwap(int32(Late), int32(Pass)) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.late = bytes.Clone(data)
			return false
		}
	}
	_, err := l.server.Write(data)
	return err == nil
}

// reply sends data to the client as the fault allows, and reports whether the
// connection goes on.
func (l *link) reply(data []byte) bool {
	wasAnswered := l.answered.Swap(true)
	l.received.Add(int64(len(data)))
	switch Fault(l.fault.Load()) {
	case Reset:
		return false
	case Blackhole:
		return true
	case PartialHang:
		l.send(data[:len(data)/2])
		<-l.closing
		return false
	case PartialReset:
		l.send(data[:len(data)/2])
		return false
	case Garbage:
		return l.send(l.Forged)
	case LostReply:
		// A server also sends bytes without a request, such as a notice: they pass. Of
		// several connections, only one loses its reply.
		if !wasAnswered && l.fault.CompareAndSwap(int32(LostReply), int32(Pass)) {
			return false
		}
	case Drip:
		return l.drip(data)
	}
	return l.send(data)
}

func (l *link) send(data []byte) bool {
	_, err := l.client.Write(data)
	return err == nil
}

func (l *link) drip(data []byte) bool {
	for i := range data {
		l.wait(40 * time.Millisecond)
		if !l.send(data[i : i+1]) {
			return false
		}
	}
	return true
}

func (p *Proxy) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.closing:
	}
}

// hold keeps conn for Drop. It reports false after Refuse or Close, which may have
// been called since the listener accepted the connection.
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

// reset closes conn with a reset in place of an end of file.
func reset(conn net.Conn) {
	if tcp, is := conn.(*net.TCPConn); is {
		tcp.SetLinger(0)
	}
	conn.Close()
}
