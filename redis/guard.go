package redis

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"syscall"

	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// limits bound a reply. The driver trusts every length: it allocates a string or a list
// before the content arrives, and reads nested lists by recursion.
type limits struct {
	line     int // bytes of a line, without the line feed
	bytes    int // of a string
	elements int // of all lists and maps of a reply together, as declared
}

const maxDepth = 16 // of nested lists; the deepest reply, to COMMAND, has 9

var (
	// beforeLogin bounds the first reply on a connection, the reply to HELLO: the server
	// may be any program.
	beforeLogin = limits{line: 64 << 10, bytes: 64 << 10, elements: 4 << 10}
	afterLogin  = limits{line: 64 << 10, bytes: maxValue, elements: 1 << 20}
)

// guarded is a connection that fails when a malformed reply arrives.
type guarded struct {
	net.Conn
	check replyCheck
	err   error // kept, because the driver reads again

	begun   bool   // something has arrived
	refusal string // the first reply if it is an error, until another kind of reply arrives
}

// guard returns conn with a guard around it, which is a syscall.Conn if that is possible:
// the driver then checks an idle connection before it uses it.
func guard(conn net.Conn) net.Conn {
	g := guarded{Conn: conn, check: replyCheck{limits: beforeLogin, later: afterLogin}}
	socket, ok := conn.(syscall.Conn)
	if encrypted, isTLS := conn.(*tls.Conn); isTLS {
		if socket, ok = encrypted.NetConn().(syscall.Conn); ok {
			socket = silentSocket{socket}
		}
	}
	if ok {
		return &struct {
			guarded
			syscall.Conn
		}{g, socket}
	}
	return &g
}

// NetConn returns the guarded connection, as tls.Conn does.
func (g *guarded) NetConn() net.Conn { return g.Conn }

// Read returns an error if any byte of what it has read is malformed.
func (g *guarded) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.Conn.Read(p)
	if n == 0 && err != nil {
		return 0, g.explain(err)
	}
	if !g.begun || g.refusal != "" {
		g.note(p[:n])
	}
	if g.err == nil {
		g.err = g.check.pass(p[:n])
	}
	if g.err != nil {
		return 0, g.err
	}
	return n, err
}

// Write returns the reason that the server gave before it closed the connection.
func (g *guarded) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	if err != nil {
		err = g.explain(err)
	}
	return n, err
}

// note remembers what a server says that refuses the connection.
func (g *guarded) note(p []byte) {
	const alert, limit = 21, 100
	switch {
	case len(p) == 0:
		return
	case !g.begun && p[0] == alert:
		g.err = errTLSRequired
	case !g.begun && p[0] == '-':
		line, _, _ := bytes.Cut(p[1:], []byte("\r\n"))
		g.refusal = string(line[:min(len(line), limit)])
	case p[0] != '-':
		g.refusal = ""
	}
	g.begun = true
}

// explain adds to the error of a broken connection why the server closed it.
func (g *guarded) explain(err error) error {
	switch {
	case !remote.IsBroken(err):
		return err
	case g.refusal != "":
		return refusedError(g.refusal)
	case !g.begun:
		return setUpError{"the server closed the connection before its first reply, as a balancer without a server does, " +
			"a port that requires TLS, or a proxy that does not support HELLO, such as twemproxy", err}
	}
	return err
}

// replyCheck follows a stream of replies that arrives in pieces of any size. It is
// stricter than the driver and finds the same structure in what it accepts.
type replyCheck struct {
	limits limits
	later  limits // after the first reply

	line [16]byte // beginning of an incomplete line
	n    int      // its length so far
	last byte     // its last byte so far

	body int // bytes of a string that have not arrived, with the line end

	open      [maxDepth]list
	depth     int
	elements  int  // of the current reply
	push      bool // the current reply is a notification
	attribute bool // an attribute precedes the current reply
}

// list is an incomplete list, map or attribute.
type list struct {
	kind byte
	left int // elements that have not arrived
}

// pass checks the next piece of the stream.
func (c *replyCheck) pass(p []byte) error {
	for len(p) > 0 {
		var err error
		if c.body > 0 {
			p, err = c.passBody(p)
		} else {
			p, err = c.passLine(p)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errMalformed, err)
		}
	}
	return nil
}

// passBody checks a piece of a string and returns the bytes after it.
func (c *replyCheck) passBody(p []byte) ([]byte, error) {
	const end = "\r\n"
	if c.body >= len(end) && len(p) >= c.body { // the usual case: the rest at once
		n := c.body
		if p[n-2] != '\r' || p[n-1] != '\n' {
			return nil, errNoEnd
		}
		c.body = 0
		c.valueEnds()
		return p[n:], nil
	}
	if c.body > len(end) {
		n := min(c.body-len(end), len(p))
		c.body -= n
		return p[n:], nil
	}
	if p[0] != end[len(end)-c.body] {
		return nil, errNoEnd
	}
	if c.body--; c.body == 0 {
		c.valueEnds()
	}
	return p[1:], nil
}

// passLine checks a piece of a line and returns the bytes after it.
func (c *replyCheck) passLine(p []byte) ([]byte, error) {
	end := bytes.IndexByte(p, '\n')
	if c.n == 0 && end > 1 && end <= c.limits.line && p[end-1] == '\r' { // the usual case: a whole line
		return p[end+1:], c.value(p[0], p[1:end-1], end-2)
	}
	piece := p
	if end >= 0 {
		piece = p[:end]
	}
	if c.n < len(c.line) {
		copy(c.line[c.n:], piece)
	}
	if c.n += len(piece); c.n > c.limits.line {
		return nil, errLongLine
	}
	if len(piece) > 0 {
		c.last = piece[len(piece)-1]
	}
	if end < 0 {
		return nil, nil
	}
	n := c.n - len("\r")
	c.n = 0
	if n < 1 || c.last != '\r' {
		return nil, errNoEnd
	}
	return p[end+1:], c.value(c.line[0], c.line[1:min(n, len(c.line))], n-1)
}

// value checks the line that begins a value: its kind, and the n bytes after it, which
// begin with text.
func (c *replyCheck) value(kind byte, text []byte, n int) error {
	if c.depth > 0 && c.isMisplaced(kind, text) {
		return errMisplaced
	}
	switch kind {
	case '+', '-', ':', ',', '#', '(', '_':
		c.valueEnds()
		return nil
	case '$', '=', '!':
		return c.string(kind, text, n)
	case '*', '~', '>', '%', '|':
		return c.list(kind, text, n)
	}
	return errUnknownType
}

// isMisplaced reports whether the driver would stop reading a list at this value and
// leave the rest of the list unread: at an error, or at null as a key. The reply to a
// transaction is a list that may hold errors.
func (c *replyCheck) isMisplaced(kind byte, text []byte) bool {
	outer := c.open[c.depth-1]
	switch kind {
	case '-', '!':
		return c.limits != c.later || c.depth > 1 || outer.kind != '*'
	case '_', '$', '*':
		isNull := kind == '_' || bytes.Equal(text, minusOne)
		return isNull && outer.kind == '%' && outer.left%2 == 0
	}
	return false
}

func (c *replyCheck) string(kind byte, text []byte, n int) error {
	length, ok := parseLength(kind, text, n)
	if !ok || length > c.limits.bytes {
		return errLength
	}
	if length < 0 {
		c.valueEnds()
		return nil
	}
	c.body = length + len("\r\n")
	return nil
}

func (c *replyCheck) list(kind byte, text []byte, n int) error {
	length, ok := parseLength(kind, text, n)
	if !ok || length > c.limits.elements {
		return errLength
	}
	if c.depth == 0 {
		c.push = kind == '>'
	} else if kind == '|' || kind == '>' {
		return errMisplaced
	}
	if kind == '|' {
		if c.attribute { // the driver reads a chain of attributes by recursion
			return errMisplaced
		}
		c.attribute = true
	}
	if kind == '%' || kind == '|' {
		length *= 2
	}
	if length <= 0 {
		if kind != '|' {
			c.valueEnds()
		}
		return nil
	}
	if c.elements += length; c.elements > c.limits.elements {
		return errLength
	}
	if c.depth == maxDepth {
		return errDepth
	}
	c.open[c.depth] = list{kind, length}
	c.depth++
	return nil
}

// valueEnds counts a complete value in the lists around it and closes those that are
// complete too.
func (c *replyCheck) valueEnds() {
	for c.depth > 0 {
		l := &c.open[c.depth-1]
		if l.left--; l.left > 0 {
			return
		}
		c.depth--
		if l.kind == '|' { // the reply itself follows
			return
		}
	}
	if !c.push {
		c.limits = c.later
	}
	c.elements, c.push, c.attribute = 0, false, false
}

var minusOne = []byte("-1")

// parseLength accepts only the canonical form of a length, and -1 where it means null.
// text holds at least the beginning of the n bytes.
func parseLength(kind byte, text []byte, n int) (length int, ok bool) {
	if n < 1 || n > len("999999999") || text[0] == '0' && n > 1 {
		return 0, false
	}
	if bytes.Equal(text[:n], minusOne) {
		return -1, kind == '$' || kind == '*'
	}
	for _, digit := range text[:n] {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		length = 10*length + int(digit-'0')
	}
	return length, true
}
