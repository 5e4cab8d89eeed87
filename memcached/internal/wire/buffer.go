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
)

// reader decodes replies. It limits all lengths that a reply states.
type reader struct {
	*bufio.Reader
	socket   *deadlineConn
	timeout  time.Duration // of one reply
	maxValue int           // bytes
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

// value reads n bytes, into memory if its capacity is large enough. Otherwise the value has
// memory of its own: a caller that keeps one value of many must not keep the others.
func (r *reader) value(n int, memory []byte) ([]byte, error) {
	if n < 0 || n > r.maxValue {
		return nil, ErrMalformed
	}
	value := memory[:min(n, cap(memory))]
	if len(value) < n || memory == nil {
		value = make([]byte, min(n, maxTrusted)) // an empty value is not nil
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
