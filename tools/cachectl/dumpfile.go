package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"
)

// The format of a dump is documented in dump-format.md; a golden file keeps it.

const dumpMagic = "cachectl-dump 1\n"

// Types of frames.
const (
	frameHeader = 'H'
	frameEntry  = 'E'
	frameEnd    = 'Z'
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// dumpHeader describes a dump.
type dumpHeader struct {
	Created time.Time `json:"created"`
	Backend string    `json:"backend"`
	Prefix  string    `json:"prefix"`
}

// dumpWriter writes a dump.
type dumpWriter struct {
	w       *bufio.Writer
	sum     hash.Hash // of everything written
	entries uint64
}

func newDumpWriter(w io.Writer, header dumpHeader) (*dumpWriter, error) {
	d := &dumpWriter{w: bufio.NewWriterSize(w, 64<<10), sum: sha256.New()}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	if err := d.raw([]byte(dumpMagic)); err != nil {
		return nil, err
	}
	return d, d.frame(frameHeader, text)
}

func (d *dumpWriter) raw(data []byte) error {
	d.sum.Write(data)
	_, err := d.w.Write(data)
	return err
}

func (d *dumpWriter) frame(kind byte, parts ...[]byte) error {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	head := binary.AppendUvarint([]byte{kind}, uint64(size))
	crc := uint32(0)
	for _, part := range append([][]byte{head}, parts...) {
		crc = crc32.Update(crc, castagnoli, part)
		if err := d.raw(part); err != nil {
			return err
		}
	}
	return d.raw(binary.LittleEndian.AppendUint32(nil, crc))
}

func (d *dumpWriter) entry(r record) error {
	head := binary.AppendUvarint(nil, uint64(len(r.key)))
	head = append(head, r.key...)
	expires := uint64(0)
	if !r.expires.IsZero() {
		expires = uint64(max(r.expires.UnixMilli(), 1))
	}
	head = binary.AppendUvarint(head, expires)
	d.entries++
	return d.frame(frameEntry, head, r.value)
}

// close completes the dump. Without it, readers report that the dump is truncated.
func (d *dumpWriter) close() error {
	body := binary.AppendUvarint(nil, d.entries)
	if err := d.frame(frameEnd, d.sum.Sum(body)); err != nil {
		return err
	}
	return d.w.Flush()
}

var (
	errTruncated = errors.New("the dump is truncated: its end is missing")
	errNotDump   = errors.New("not a dump of cachectl, or of a newer version")
)

// dumpReader reads a dump.
type dumpReader struct {
	header dumpHeader

	r       *bufio.Reader
	sum     hash.Hash
	offset  int64 // of the frame that is read
	read    int64
	entries uint64
}

func newDumpReader(r io.Reader) (*dumpReader, error) {
	d := &dumpReader{r: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
	magic := make([]byte, len(dumpMagic))
	if _, err := io.ReadFull(d.r, magic); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if string(magic) != dumpMagic {
		return nil, errNotDump
	}
	d.sum.Write(magic)
	d.read = int64(len(magic))
	kind, body, err := d.frame()
	if err != nil {
		return nil, err
	}
	if kind != frameHeader || json.Unmarshal(body, &d.header) != nil {
		return nil, d.damaged("no header")
	}
	return d, nil
}

// next returns the next entry, or io.EOF after the last one if the dump is complete.
func (d *dumpReader) next() (record, error) {
	before := d.sum.Sum(nil)
	kind, body, err := d.frame()
	if err != nil {
		return record{}, err
	}
	switch kind {
	case frameEntry:
		r, ok := parseEntry(body)
		if !ok {
			return record{}, d.damaged("malformed entry")
		}
		d.entries++
		return r, nil
	case frameEnd:
		return record{}, d.end(body, before)
	}
	return record{}, d.damaged("unknown type of frame")
}

func parseEntry(body []byte) (r record, ok bool) {
	size, n := binary.Uvarint(body)
	if n <= 0 || size > uint64(len(body)-n) {
		return r, false
	}
	body = body[n:]
	r.key, body = string(body[:size]), body[size:]
	expires, n := binary.Uvarint(body)
	if n <= 0 || expires > 1<<62 {
		return r, false
	}
	if expires != 0 {
		r.expires = time.UnixMilli(int64(expires))
	}
	r.value = body[n:]
	return r, true
}

// end checks the last frame against what was read before it.
func (d *dumpReader) end(body, sum []byte) error {
	entries, n := binary.Uvarint(body)
	switch {
	case n <= 0 || !bytes.Equal(body[n:], sum):
		return d.damaged("checksum of the dump differs")
	case entries != d.entries:
		return d.damaged(fmt.Sprintf("%d entries instead of %d", d.entries, entries))
	}
	if _, err := d.r.ReadByte(); err == nil {
		return d.damaged("data after the end")
	} else if err != io.EOF {
		return err
	}
	return io.EOF
}

// frame reads a frame. It takes no more memory than there is data.
func (d *dumpReader) frame() (kind byte, body []byte, err error) {
	d.offset = d.read
	crc := crc32.New(castagnoli)
	in := &dumpInput{d: d, crc: crc}
	kind, err = in.ReadByte()
	if err != nil {
		return 0, nil, truncated(err)
	}
	size, err := binary.ReadUvarint(in)
	if err != nil && truncated(err) != errTruncated && in.err == nil {
		return 0, nil, d.damaged("malformed length")
	}
	if err != nil {
		return 0, nil, truncated(err)
	}
	var data bytes.Buffer
	if size > 1<<40 {
		return 0, nil, d.damaged("malformed length")
	}
	if _, err := io.CopyN(&data, in, int64(size)); err != nil {
		return 0, nil, truncated(err)
	}
	want := crc.Sum32()
	var stored [4]byte
	if _, err := io.ReadFull(in, stored[:]); err != nil {
		return 0, nil, truncated(err)
	}
	if binary.LittleEndian.Uint32(stored[:]) != want {
		return 0, nil, d.damaged("checksum differs")
	}
	return kind, data.Bytes(), nil
}

func truncated(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errTruncated
	}
	return err
}

func (d *dumpReader) damaged(what string) error {
	return fmt.Errorf("the dump is damaged at byte %d: %s", d.offset, what)
}

// dumpInput is the input of a dumpReader that counts and sums up what is read.
type dumpInput struct {
	d   *dumpReader
	crc hash.Hash32
	err error
}

func (in *dumpInput) Read(p []byte) (int, error) {
	n, err := in.d.r.Read(p)
	in.crc.Write(p[:n])
	in.d.sum.Write(p[:n])
	in.d.read += int64(n)
	in.err = err
	return n, err
}

func (in *dumpInput) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(in, b[:])
	return b[0], err
}
