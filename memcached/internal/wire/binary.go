package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cachebackends/cachebackends/core/driver"
)

// binaryProtocol is the binary protocol, with SASL PLAIN for the login. Requests of
// several items are quiet: the server replies only to items with an unexpected outcome,
// and to the command that ends the request.
type binaryProtocol struct{}

// Opcodes. Gets are those that return the key.
const (
	codeSet, codeSetQuiet       = 0x01, 0x11
	codeAdd                     = 0x02
	codeDelete, codeDeleteQuiet = 0x04, 0x14
	codeIncrement               = 0x05
	codeDecrement               = 0x06
	codeFlush                   = 0x08
	codeNoop                    = 0x0a
	codeGet, codeGetQuiet       = 0x0c, 0x0d
	codeStats                   = 0x10
	codeLogin                   = 0x21
)

const (
	statusOK         = 0x00
	statusAbsent     = 0x01
	statusExists     = 0x02
	statusTooLarge   = 0x03
	statusNotStored  = 0x05
	statusNotInteger = 0x06
	statusAuth       = 0x20
	statusAuthMore   = 0x21
	statusUnknown    = 0x81
	statusFull       = 0x82
	statusInternal   = 0x84
	statusBusy       = 0x85
	statusTemporary  = 0x86
)

const (
	magicRequest = 0x80
	magicReply   = 0x81
	headerSize   = 24

	// doNotCreate is an expiry with which an increment of an absent key fails.
	doNotCreate = 0xffffffff
)

// header begins every request and every reply.
type header struct {
	code   byte
	status uint16 // of a reply
	key    int    // lengths
	extras int
	body   int // of extras, key and value
	opaque uint32
	cas    uint64
}

func (w *writer) header(h header) {
	w.buf = append(w.buf, magicRequest, h.code, byte(h.key>>8), byte(h.key), byte(h.extras), 0, 0, 0)
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(h.body))
	w.buf = binary.BigEndian.AppendUint32(w.buf, h.opaque)
	w.buf = binary.BigEndian.AppendUint64(w.buf, h.cas)
}

// packet appends a whole request.
func (w *writer) packet(h header, extras []byte, key string, value []byte) {
	h.extras, h.key = len(extras), len(key)
	h.body = h.extras + h.key + len(value)
	w.header(h)
	w.buf = append(w.buf, extras...)
	w.string(key)
	w.value(value)
}

func (binaryProtocol) login(c *conn, username, password string) error {
	c.w.packet(header{code: codeLogin}, nil, "PLAIN", []byte("\x00"+username+"\x00"+password))
	if err := c.w.flush(); err != nil {
		return err
	}
	h, err := c.r.header()
	if err != nil {
		return err
	}
	switch h.status {
	case statusOK:
		return c.r.skip(h.body)
	case statusUnknown:
		return fmt.Errorf("%w: the server does not support a login: it was not started with -S", driver.ErrAuth)
	case statusAuth, statusAuthMore:
		return fmt.Errorf("%w: SASL PLAIN ended with status 0x%02x", driver.ErrAuth, h.status)
	}
	return h.fatal()
}

// maxBytes limits reads more than writes: the server replies while it reads, and this
// side reads only after it has written everything.
func (binaryProtocol) maxBytes(op Op) int {
	if op.IsWrite() {
		return chunkBytes
	}
	return maxBatch
}

func (binaryProtocol) write(w *writer, r *Request) {
	quiet := len(r.Items) > 1
	for i := range r.Items {
		r.Items[i].writeBinary(w, r.Op, quiet, uint32(i))
	}
	if len(r.Items) != 1 {
		w.header(header{code: r.lastCode()})
	}
}

// lastCode is the command that ends a request, unless it has one item.
func (r *Request) lastCode() byte {
	switch r.Op {
	case OpFlush:
		return codeFlush
	case OpStats:
		return codeStats
	}
	return codeNoop
}

func (it *Item) writeBinary(w *writer, op Op, quiet bool, opaque uint32) {
	h := header{code: it.code(op, quiet), opaque: opaque, cas: it.CAS}
	var extras [20]byte
	switch op {
	case OpSet, OpAdd, OpCompareAndSwap:
		binary.BigEndian.PutUint32(extras[:], it.Flags)
		binary.BigEndian.PutUint32(extras[4:], uint32(it.Expiry))
		w.packet(h, extras[:8], it.Key, it.Value)
	case OpIncrement:
		delta := uint64(it.Number)
		if it.Number < 0 {
			delta = -delta
		}
		binary.BigEndian.PutUint64(extras[:], delta)
		binary.BigEndian.PutUint32(extras[16:], doNotCreate)
		w.packet(h, extras[:], it.Key, nil)
	default:
		w.packet(h, nil, it.Key, nil)
	}
}

// code returns the opcode for op. Only requests of several items use quiet ones.
func (it *Item) code(op Op, quiet bool) byte {
	switch {
	case op == OpIncrement && it.Number < 0:
		return codeDecrement
	case quiet:
		return codes[op].quiet
	}
	return codes[op].loud
}

var codes = [...]struct{ loud, quiet byte }{
	OpGet:            {codeGet, codeGetQuiet},
	OpGets:           {codeGet, codeGetQuiet},
	OpMeta:           {codeGet, codeGetQuiet},
	OpSet:            {codeSet, codeSetQuiet},
	OpAdd:            {codeAdd, codeAdd},
	OpCompareAndSwap: {codeSet, codeSet},
	OpIncrement:      {codeIncrement, codeIncrement},
	OpDelete:         {codeDelete, codeDeleteQuiet},
}

func (binaryProtocol) read(in *reader, r *Request) error {
	if r.Op == OpStats {
		r.stats = unknownStats
		return in.binaryStats(r.stat)
	}
	quiet := len(r.Items) > 1
	for {
		in.nextReply()
		h, err := in.header()
		if err != nil {
			return err
		}
		if len(r.Items) != 1 && h.code == r.lastCode() {
			return r.readLast(in, h)
		}
		if int(h.opaque) >= len(r.Items) || r.Items[h.opaque].Answered {
			return ErrMalformed
		}
		it := &r.Items[h.opaque]
		if h.code != it.code(r.Op, quiet) {
			return ErrMalformed
		}
		if err := it.readBinary(in, r.Op, h); err != nil {
			return err
		}
		if !quiet {
			return nil
		}
	}
}

// readLast reads the reply to the command that ends a request. Items without a reply by
// then had the expected outcome: writes happened, keys to read are absent.
func (r *Request) readLast(in *reader, h header) error {
	if h.status != statusOK {
		return h.fatal()
	}
	for i := range r.Items {
		if it := &r.Items[i]; !it.Answered {
			it.Answer(r.Op.IsWrite())
		}
	}
	return in.skip(h.body)
}

// readBinary reads the rest of the reply for one item.
func (it *Item) readBinary(in *reader, op Op, h header) error {
	switch h.status {
	case statusOK:
		return it.readSuccess(in, op, h)
	case statusAbsent, statusExists, statusNotStored:
		it.Answer(false)
	case statusTooLarge:
		it.Fail(fmt.Errorf("%w: rejected by the server", driver.ErrTooLarge))
	case statusNotInteger:
		it.Fail(driver.ErrNotInteger)
	case statusFull:
		it.Fail(fmt.Errorf("%w: the server is out of memory", driver.ErrFull))
	case statusInternal, statusBusy, statusTemporary:
		it.failOnServer(op, ServerError{fmt.Sprintf(" (status 0x%02x)", h.status)})
	default:
		return h.fatal()
	}
	return in.skip(h.body)
}

func (it *Item) readSuccess(in *reader, op Op, h header) (err error) {
	switch op {
	case OpGet, OpGets, OpMeta:
		err = it.readEntry(in, op, h)
	case OpIncrement:
		if h.body != 8 {
			return ErrMalformed
		}
		var sum []byte
		if sum, err = in.value(h.body, nil); err == nil {
			it.Number = int64(binary.BigEndian.Uint64(sum))
		}
	default:
		err = in.skip(h.body)
	}
	if err == nil {
		it.Answer(true)
	}
	return err
}

// readEntry reads flags, key and value.
func (it *Item) readEntry(in *reader, op Op, h header) error {
	length := h.body - h.extras - h.key
	if h.extras != 4 || h.key != len(it.Key) || length > in.maxValue {
		return ErrMalformed
	}
	begin, err := in.Peek(h.extras + h.key)
	if err != nil {
		return err
	}
	if string(begin[h.extras:]) != it.Key {
		return ErrMalformed
	}
	it.Flags, it.CAS = binary.BigEndian.Uint32(begin), h.cas
	if _, err := in.Discard(len(begin)); err != nil {
		return err
	}
	if op == OpMeta {
		_, err = in.Discard(length)
	} else {
		it.Value, err = in.value(length, it.Value)
	}
	return err
}

// header reads the header of a reply.
func (r *reader) header() (header, error) {
	b, err := r.Peek(2) // more may never come from a server of another protocol
	if len(b) > 0 && b[0] != magicReply {
		b, _ = r.Peek(r.Buffered())
		for _, word := range []string{"ERROR", "CLIENT_ERROR", "SERVER_ERROR"} {
			if bytes.HasPrefix(b, []byte(word)) {
				return header{}, errNeedsText
			}
		}
		return header{}, unexpected(b)
	}
	if err == nil {
		b, err = r.Peek(headerSize)
	}
	if err != nil {
		return header{}, err
	}
	h := header{
		code:   b[1],
		key:    int(binary.BigEndian.Uint16(b[2:])),
		extras: int(b[4]),
		status: binary.BigEndian.Uint16(b[6:]),
		body:   int(binary.BigEndian.Uint32(b[8:])),
		opaque: binary.BigEndian.Uint32(b[12:]),
		cas:    binary.BigEndian.Uint64(b[16:]),
	}
	if h.body < h.extras+h.key {
		return header{}, ErrMalformed
	}
	_, err = r.Discard(headerSize)
	return h, err
}

// fatal returns the error of a status after which the connection is of no use.
func (h header) fatal() error {
	if h.status == statusAuth {
		return fmt.Errorf("%w: the server requires a login", driver.ErrAuth)
	}
	if h.status == statusUnknown {
		return fmt.Errorf("%w: the server does not support command 0x%02x", ErrMalformed, h.code)
	}
	return fmt.Errorf("%w: status 0x%02x", ErrMalformed, h.status)
}
