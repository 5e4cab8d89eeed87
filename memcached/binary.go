package memcached

import (
	"encoding/binary"
	"fmt"

	cache "github.com/cachebackends/cachebackends/core"
)

// binaryProtocol is the binary protocol, with SASL PLAIN for the login. Requests of
// many items are quiet: the server answers only what is not as expected, and then
// the last command, which does nothing else.
type binaryProtocol struct{}

// Commands, and how their quiet forms differ.
const (
	opSet, opSetQuiet       = 0x01, 0x11
	opAdd                   = 0x02
	opDelete, opDeleteQuiet = 0x04, 0x14
	opIncrement             = 0x05
	opDecrement             = 0x06
	opFlush                 = 0x08
	opNothing               = 0x0a
	opGet, opGetQuiet       = 0x0c, 0x0d // those that return the key
	opLogin                 = 0x21
)

const (
	statusOK        = 0x00
	statusAbsent    = 0x01
	statusExists    = 0x02
	statusTooLarge  = 0x03
	statusNotStored = 0x05
	statusNoNumber  = 0x06
	statusAuth      = 0x20
	statusAuthMore  = 0x21
	statusUnknown   = 0x81
	statusFull      = 0x82
)

const (
	magicRequest = 0x80
	magicAnswer  = 0x81
	headSize     = 24

	// doNotCreate is an expiry that makes counting fail where the key is absent.
	doNotCreate = 0xffffffff
)

// head begins every request and every answer.
type head struct {
	op     byte
	status uint16 // of an answer
	key    int    // lengths
	extras int
	body   int // of key, extras and value
	opaque uint32
	cas    uint64
}

func (o *out) head(h head) {
	o.buf = append(o.buf, magicRequest, h.op, byte(h.key>>8), byte(h.key), byte(h.extras), 0, 0, 0)
	o.buf = binary.BigEndian.AppendUint32(o.buf, uint32(h.body))
	o.buf = binary.BigEndian.AppendUint32(o.buf, h.opaque)
	o.buf = binary.BigEndian.AppendUint64(o.buf, h.cas)
}

// command appends a whole command.
func (o *out) command(h head, extras []byte, key string, value []byte) {
	h.extras, h.key = len(extras), len(key)
	h.body = h.extras + h.key + len(value)
	o.head(h)
	o.buf = append(o.buf, extras...)
	o.buf = append(o.buf, key...)
	o.value(value)
}

func (binaryProtocol) login(c *conn, username, password string) error {
	c.out.command(head{op: opLogin}, nil, "PLAIN", []byte("\x00"+username+"\x00"+password))
	if err := c.out.end(); err != nil {
		return err
	}
	h, err := c.in.head()
	if err != nil {
		return err
	}
	switch h.status {
	case statusOK:
		return c.in.skip(h.body)
	case statusAuth, statusAuthMore, statusUnknown:
		return refused{fmt.Errorf("%w: SASL PLAIN ended with status 0x%02x", cache.ErrAuth, h.status)}
	}
	return h.fatal()
}

// fits limits what is asked for together: the server answers while it reads, and
// our side reads when all is written.
func (binaryProtocol) fits(v verb, items []item) int {
	if v.isWrite() {
		return fit(v, items, chunkBytes)
	}
	return fit(v, items, fullBatch)
}

func (binaryProtocol) write(o *out, r *request) {
	quiet := len(r.items) > 1
	for i := range r.items {
		r.items[i].writeBinary(o, r.verb, quiet, uint32(i))
	}
	if len(r.items) != 1 {
		o.head(head{op: r.last()})
	}
}

// last is the command that ends a request, unless that is of one item.
func (r *request) last() byte {
	if r.verb == vFlush {
		return opFlush
	}
	return opNothing
}

func (it *item) writeBinary(o *out, v verb, quiet bool, opaque uint32) {
	h := head{op: it.opcode(v, quiet), opaque: opaque, cas: it.cas}
	var extras [20]byte
	switch v {
	case vSet, vAdd, vSwap:
		binary.BigEndian.PutUint32(extras[:], it.flags)
		binary.BigEndian.PutUint32(extras[4:], uint32(it.expiry))
		o.command(h, extras[:8], it.key, it.value)
	case vCount:
		by := uint64(it.number)
		if it.number < 0 {
			by = -by
		}
		binary.BigEndian.PutUint64(extras[:], by)
		binary.BigEndian.PutUint32(extras[16:], doNotCreate)
		o.command(h, extras[:], it.key, nil)
	default:
		o.command(h, nil, it.key, nil)
	}
}

// opcode returns the command for v. Only what is asked of many has a quiet form.
func (it *item) opcode(v verb, quiet bool) byte {
	switch {
	case quiet && !v.isWrite():
		return opGetQuiet
	case !v.isWrite():
		return opGet
	case quiet && v == vSet:
		return opSetQuiet
	case v == vSet, v == vSwap:
		return opSet
	case v == vAdd:
		return opAdd
	case quiet && v == vDelete:
		return opDeleteQuiet
	case v == vDelete:
		return opDelete
	case it.number < 0:
		return opDecrement
	}
	return opIncrement
}

func (binaryProtocol) read(in *in, r *request) error {
	quiet := len(r.items) > 1
	for {
		in.next()
		h, err := in.head()
		if err != nil {
			return err
		}
		if len(r.items) != 1 && h.op == r.last() {
			return r.readLast(in, h)
		}
		if int(h.opaque) >= len(r.items) || r.items[h.opaque].seen {
			return errNonsense
		}
		it := &r.items[h.opaque]
		if h.op != it.opcode(r.verb, quiet) {
			return errNonsense
		}
		if err := it.readBinary(in, r.verb, h, quiet); err != nil {
			return err
		}
		if !quiet {
			return nil
		}
	}
}

// readLast takes the answer to the last command, which is about no item, and
// settles what was not answered before.
func (r *request) readLast(in *in, h head) error {
	if h.status != statusOK {
		return h.fatal()
	}
	for i := range r.items {
		if it := &r.items[i]; !it.seen {
			it.answer(r.verb.isWrite()) // no news of a write is good news
		}
	}
	return in.skip(h.body)
}

// readBinary takes the answer for one item.
func (it *item) readBinary(in *in, v verb, h head, together bool) error {
	switch h.status {
	case statusOK:
		return it.readOK(in, v, h, together)
	case statusAbsent, statusExists, statusNotStored:
		it.answer(false)
	case statusTooLarge:
		it.fail(fmt.Errorf("%w: the server says so", cache.ErrTooLarge))
	case statusNoNumber:
		it.fail(cache.ErrNotInteger)
	case statusFull:
		it.fail(fmt.Errorf("%w: the server is out of memory", cache.ErrFull))
	default:
		return h.fatal()
	}
	return in.skip(h.body)
}

func (it *item) readOK(in *in, v verb, h head, together bool) error {
	rest := h.body - h.extras - h.key
	switch v {
	case vGet, vGets, vLook:
		if h.extras != 4 || h.key != len(it.key) || rest > in.limit {
			return errNonsense
		}
		begin, err := in.Peek(h.extras + h.key)
		if err != nil {
			return err
		}
		if string(begin[h.extras:]) != it.key {
			return errNonsense
		}
		it.flags, it.cas = binary.BigEndian.Uint32(begin), h.cas
		if _, err := in.Discard(len(begin)); err != nil {
			return err
		}
		if v == vLook {
			_, err = in.Discard(rest)
		} else {
			it.value, err = in.value(rest, together, it.value)
		}
		if err != nil {
			return err
		}
	case vCount:
		if h.body != 8 {
			return errNonsense
		}
		sum, err := in.value(h.body, false, nil)
		if err != nil {
			return err
		}
		it.number = int64(binary.BigEndian.Uint64(sum))
	default:
		if err := in.skip(h.body); err != nil {
			return err
		}
	}
	it.answer(true)
	return nil
}

// head takes the head of an answer, if it can be one.
func (in *in) head() (head, error) {
	b, err := in.Peek(headSize)
	if err != nil {
		return head{}, err
	}
	if b[0] != magicAnswer {
		return head{}, errNonsense
	}
	h := head{
		op:     b[1],
		key:    int(binary.BigEndian.Uint16(b[2:])),
		extras: int(b[4]),
		status: binary.BigEndian.Uint16(b[6:]),
		body:   int(binary.BigEndian.Uint32(b[8:])),
		opaque: binary.BigEndian.Uint32(b[12:]),
		cas:    binary.BigEndian.Uint64(b[16:]),
	}
	if h.body < h.extras+h.key {
		return head{}, errNonsense
	}
	_, err = in.Discard(headSize)
	return h, err
}

// skip drops a text that is for humans.
func (in *in) skip(n int) error {
	if n > bufferSize {
		return errNonsense
	}
	_, err := in.Discard(n)
	return err
}

// fatal makes an error of a status after which the connection is of no use.
func (h head) fatal() error {
	if h.status == statusAuth {
		return refused{fmt.Errorf("%w: the server wants a login", cache.ErrAuth)}
	}
	return fmt.Errorf("%w: status 0x%02x", errNonsense, h.status)
}
