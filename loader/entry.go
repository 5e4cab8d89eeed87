package loader

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// entry is what is stored under a key. It is not changed after it was stored or read:
// if values are kept as they are, all callers share it.
type entry[T any] struct {
	header
	value T
	raw   []byte // as it is stored; nil if it is kept without encoding
	body  []byte // the value in raw
}

// header describes an entry and how long it is served.
type header struct {
	missing              bool          // the source has no value
	loaded               time.Time     // when its load began
	fresh, stale, rescue time.Duration // its phases, one after the other
	nonce                nonce         // no two entries are equal
	tags                 []tag

	// Until the time quick on clock, an entry without encoding is served without further
	// checks.
	clock *clock
	quick int64
}

// tag is the version of a tag that was current before the load.
type tag struct {
	name    string
	version uint64
}

// phase is what may be done with an entry at some time.
type phase int

const (
	absent    phase = iota
	fresh           // served
	stale           // served while it is loaded in the background
	rescuable       // served if its load fails or is late
)

// maxSkew is how far in the future an entry may have been loaded, by the clock of this
// process, and still be fresh.
const maxSkew = 10 * time.Second

func (h *header) phase() phase {
	age := time.Since(h.loaded)
	switch {
	case age < -maxSkew && h.missing:
		return absent
	case age < -maxSkew: // by another clock: its age is unknown
		return stale
	case age < h.fresh:
		return fresh
	case h.missing:
		return absent
	case age < h.fresh+h.stale:
		return stale
	case age < h.life():
		return rescuable
	}
	return absent
}

// life is the age at which the store removes the entry.
func (h *header) life() time.Duration { return h.fresh + h.stale + h.rescue }

// isEarly decides at random whether a fresh entry is loaded before it is stale.
func (h *header) isEarly(fraction float64) bool {
	window := fraction * float64(h.fresh)
	return window > 0 && rand.Float64()*window > float64(h.fresh-time.Since(h.loaded))
}

// The format of encoded entries: magic, version, flags (1 byte), the time of the load
// in microseconds (8 bytes), nonce (8 bytes), fresh, stale and rescue in microseconds
// (uvarints), the number of tags (uvarint), for each its name (with its length as a
// uvarint) and version (8 bytes), and the value. Numbers are big endian.
//
// Decoders of other formats reject the first bytes: they are not UTF-8, and they are
// invalid in JSON, gob, MessagePack, CBOR, Protocol Buffers and pickle.
const (
	magic       = "\xc1\xfe\xff\xff\x11" // the last byte is the version
	flagMissing = 1
)

// append appends the encoding of h.
func (h *header) append(data []byte) []byte {
	data = append(data, magic...)
	var flags byte
	if h.missing {
		flags = flagMissing
	}
	data = append(data, flags)
	data = binary.BigEndian.AppendUint64(data, uint64(h.loaded.UnixMicro()))
	data = binary.BigEndian.AppendUint64(data, uint64(h.nonce))
	for _, d := range []time.Duration{h.fresh, h.stale, h.rescue} {
		data = binary.AppendUvarint(data, uint64(d.Microseconds()))
	}
	data = binary.AppendUvarint(data, uint64(len(h.tags)))
	for _, t := range h.tags {
		data = binary.AppendUvarint(data, uint64(len(t.name)))
		data = append(data, t.name...)
		data = binary.BigEndian.AppendUint64(data, t.version)
	}
	return data
}

// parse reads a header that append wrote and returns the rest of data. ok is false if data
// is not an entry.
func (h *header) parse(data []byte) (body []byte, ok bool) {
	r := reader{data: data, ok: true}
	r.ok = string(r.next(len(magic))) == magic
	flags := r.next(1)
	h.loaded = time.UnixMicro(int64(r.uint64()))
	h.nonce = nonce(r.uint64())
	h.fresh, h.stale, h.rescue = r.duration(), r.duration(), r.duration()
	for n := r.length(); n > 0 && r.ok; n-- {
		name := string(r.next(r.length()))
		h.tags = append(h.tags, tag{name, r.uint64()})
	}
	if !r.ok || flags[0]&^flagMissing != 0 || h.life() < 0 || h.fresh+h.stale < 0 {
		return nil, false
	}
	h.missing = flags[0] == flagMissing
	return r.data, true
}

// reader reads from data. It sets ok to false if data is too short.
type reader struct {
	data []byte
	ok   bool
}

func (r *reader) next(n int) []byte {
	if !r.ok || n > len(r.data) {
		r.ok = false
		return nil
	}
	next := r.data[:n]
	r.data = r.data[n:]
	return next
}

func (r *reader) uint64() uint64 {
	if b := r.next(8); r.ok {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uvarint(limit uint64) uint64 {
	u, n := binary.Uvarint(r.data)
	if n <= 0 || u > limit {
		r.ok = false
		return 0
	}
	r.next(n)
	return u
}

// length reads a length or a number of items, which is at most the size of the rest.
func (r *reader) length() int { return int(r.uvarint(uint64(len(r.data)))) }

func (r *reader) duration() time.Duration {
	const longest = uint64(1<<63-1) / uint64(time.Microsecond)
	return time.Duration(r.uvarint(longest)) * time.Microsecond
}
