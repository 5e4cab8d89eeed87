package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"time"
)

const (
	// readBuffer is the size of a connection's reader, and of the longest line.
	readBuffer = 16 << 10
	// maxWriteBuffer is the size up to which a connection keeps the memory of its writer.
	maxWriteBuffer = 64 << 10
	// uncopied is the size from which a value is written, and read, without a copy.
	uncopied = 16 << 10

	// maxTrusted is the size up to which memory is allocated as soon as a reply states it.
	// Beyond it, memory grows with what has been received.
	maxTrusted = 2 << 20

	// Values up to smallValue bytes that are read together share slabs.
	smallValue = 256
	slabSize   = 8 << 10
)

// reader decodes replies. It limits all lengths that a reply states.
type reader struct {
	*bufio.Reader
	socket   *deadlineConn
	timeout  time.Duration // of one reply
	maxValue int           // bytes
	slab     []byte        // memory for small values
}

// nextReply starts the timeout of a reply.
func (r *reader) nextReply() { r.socket.begin(r.timeout) }

// line returns a line without its end. It is valid until the next read.
func (r *reader) line() ([]byte, error) {
	line, err := r.ReadSlice('\n')
	text, ok := bytes.CutSuffix(line, crlf)
	if ok {
		return text, nil
	}
	if why := unexpected(line); err == nil || errors.Is(err, bufio.ErrBufferFull) || why != ErrMalformed {
		return nil, why
	}
	return nil, err
}

// value reads n bytes, into memory if its capacity is large enough. If several values are
// read together, small ones share a slab.
func (r *reader) value(n int, together bool, memory []byte) ([]byte, error) {
	if n < 0 || n > r.maxValue {
		return nil, ErrMalformed
	}
	value := memory[:min(n, cap(memory))]
	if len(value) < n || memory == nil {
		value = r.allocate(min(n, maxTrusted), together)
	}
	if _, err := io.ReadFull(r, value); err != nil {
		return nil, err
	}
	for len(value) < n {
		read := len(value)
		value = slices.Grow(value, min(n-read, read))[:read+min(n-read, read)]
		if _, err := io.ReadFull(r, value[read:]); err != nil {
			return nil, err
		}
	}
	return value, nil
}

func (r *reader) allocate(n int, together bool) []byte {
	if !together || n > smallValue {
		return make([]byte, n)
	}
	if len(r.slab) < max(n, 1) { // an empty value is not nil
		r.slab = make([]byte, slabSize)
	}
	value := r.slab[:n:n]
	r.slab = r.slab[n:]
	return value
}

// skip discards a human-readable message of n bytes.
func (r *reader) skip(n int) error {
	if n > readBuffer {
		return ErrMalformed
	}
	_, err := r.Discard(n)
	return err
}

// writer gathers the bytes of requests.
type writer struct {
	buf []byte
	to  net.Conn // nil: gather everything
	err error
}

func (w *writer) string(parts ...string) {
	for _, s := range parts {
		w.buf = append(w.buf, s...)
	}
}

// value appends a value, or writes it at once if it is too large to be copied.
func (w *writer) value(value []byte) {
	if w.to == nil || len(value) < uncopied {
		w.buf = append(w.buf, value...)
		return
	}
	w.write()
	if w.err == nil {
		_, w.err = w.to.Write(value)
	}
}

// write writes what has been gathered.
func (w *writer) write() {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.to.Write(w.buf)
	}
	if cap(w.buf) > maxWriteBuffer {
		w.buf = nil
	}
	w.buf = w.buf[:0]
}

// flush writes what has been gathered and returns the first error since the last
// flush.
func (w *writer) flush() error {
	w.write()
	err := w.err
	w.err = nil
	return err
}
