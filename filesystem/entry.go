package filesystem

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// The format, as the package comment describes it.
const (
	magic      = "cbfs"
	version    = 2
	checksumAt = 28
	headerSize = 32

	// maxFileSize bounds the memory and the time that a file takes which somebody
	// else has put there: a sparse file of any length costs nothing to make.
	maxFileSize = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// expiry is the end of a life in microseconds since 1970, 0 for never, or the negative
// end of a lease. Nanoseconds would overflow for the largest time.Duration.
type expiry int64

// expiryAfter rounds up, so that no entry expires early.
func expiryAfter(now time.Time, ttl time.Duration) expiry {
	if ttl == 0 {
		return 0
	}
	rest := ttl%time.Microsecond + time.Duration(now.Nanosecond())%time.Microsecond
	return expiry(now.UnixMicro() + int64(ttl/time.Microsecond) + driver.RoundUp(rest, time.Microsecond))
}

func (x expiry) expired(now time.Time) bool { return x != 0 && int64(x) <= now.UnixMicro() }

// remaining returns the remaining TTL, 0 for never. It is positive unless x has expired.
func (x expiry) remaining(now time.Time) time.Duration {
	if x == 0 {
		return 0
	}
	return time.UnixMicro(int64(x)).Sub(now)
}

// entry is an entry to be written, or value and expires of one that was read.
type entry struct {
	key     string
	value   []byte
	written time.Time
	expires expiry
}

// newEntry computes the expiry before anything waits.
func newEntry(key string, value []byte, ttl time.Duration) entry {
	now := time.Now()
	return entry{key, value, now, expiryAfter(now, ttl)}
}

// newEntry is the function newEntry, with the expiry as a file can hold it.
func (b *Backend) newEntry(key string, value []byte, ttl time.Duration) entry {
	e := newEntry(key, value, ttl)
	e.expires = b.layout.round(e.expires)
	return e
}

// live reports whether e was read and has not expired.
func (e entry) live() bool { return e.value != nil && !e.expires.expired(time.Now()) }

// remaining returns the remaining TTL of an entry that is live, 0 for never.
func (e entry) remaining() (ttl time.Duration, ok bool) {
	now := time.Now()
	if e.value == nil || e.expires.expired(now) {
		return 0, false
	}
	return e.expires.remaining(now), true
}

// checkSize returns [driver.ErrTooLarge] if the file would be too large to be read.
func (e entry) checkSize() error {
	if len(e.value) > maxFileSize-headerSize-min(len(e.key), maxFileSize-headerSize) {
		return fmt.Errorf("%w: key and value take more than %d bytes", driver.ErrTooLarge, maxFileSize-headerSize)
	}
	return nil
}

// appendHead appends the part of a file before the value.
func (e entry) appendHead(dst []byte) []byte {
	begin := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint16(dst, version)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.expires))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(e.value)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.key)))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, e.key...)
	head := dst[begin:]
	binary.LittleEndian.PutUint32(head[checksumAt:], checksum(head, e.value))
	return dst
}

// latestTime is the last second that system calls can pass on: in 2262, or in
// 2038 where their seconds have 32 bits, as an int has. One second less leaves
// room for an access time after the modification time.
const latestTime = min(math.MaxInt, math.MaxInt64/int64(time.Second)) - 1

// mtime returns the modification time of the entry's file.
func (e entry) mtime() time.Time { return e.mtimeUpTo(time.Unix(latestTime, 0)) }

// mtimeUpTo returns the expiry as far as a file can have it. The last 64th of
// the time from 1970 to latest belongs to the entries that never expire: the
// time of writing, 64 times closer to latest, keeps them in order of age and
// behind all others. A lease has the time 0, so that eviction reads its header.
func (e entry) mtimeUpTo(latest time.Time) time.Time {
	const part = 64
	if e.expires == 0 {
		return latest.Add(-latest.Sub(e.written) / part)
	}
	return time.UnixMicro(max(0, min(int64(e.expires), latest.UnixMicro()/part*(part-1))))
}

// header is the fixed part of an entry.
type header struct {
	flask    bool // of Flask's layout, which has only expires; valueLen is derived from the size
	expires  expiry
	keyLen   uint32
	valueLen uint64
	checksum uint32
}

// checksum covers all of an entry but itself.
func checksum(head, value []byte) uint32 {
	sum := crc32.Update(0, castagnoli, head[:checksumAt])
	sum = crc32.Update(sum, castagnoli, head[headerSize:])
	return crc32.Update(sum, castagnoli, value)
}

// parseHeader reads the header from the beginning of any file.
func parseHeader(data []byte) (header, error) {
	if len(data) < headerSize || string(data[:4]) != magic {
		return header{}, corrupt("not an entry")
	}
	if binary.LittleEndian.Uint16(data[4:]) != version || binary.LittleEndian.Uint16(data[6:]) != 0 {
		return header{}, corrupt("unknown version")
	}
	return header{
		expires:  expiry(binary.LittleEndian.Uint64(data[8:])),
		valueLen: binary.LittleEndian.Uint64(data[16:]),
		keyLen:   binary.LittleEndian.Uint32(data[24:]),
		checksum: binary.LittleEndian.Uint32(data[checksumAt:]),
	}, nil
}

// size returns the size of the whole file. It does not overflow: an absurd
// length results in a size that no file has.
func (h header) size() uint64 {
	if h.flask {
		return flaskHeaderSize + h.valueLen
	}
	return headerSize + uint64(h.keyLen) + min(h.valueLen, math.MaxInt64)
}

// verify checks that head, which is the header and the key, and value are the undamaged
// parts of an entry of key.
func (h header) verify(head, value []byte, key string) error {
	switch {
	case h.flask: // it has neither a checksum nor the key
		return nil
	case checksum(head, value) != h.checksum:
		return errChecksum
	case string(head[headerSize:]) != key:
		return errOtherKey
	}
	return nil
}
