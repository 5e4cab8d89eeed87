package filesystem

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"
)

// The format, as the package comment describes it.
const (
	magic      = "cbfs"
	version    = 1
	checksumAt = 28
	headerSize = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// deadline is the end of a life in microseconds since 1970, 0 for never. Unlike
// nanoseconds, they hold any time.Duration from now.
type deadline int64

// deadlineAfter rounds up, so that no life ends early.
func deadlineAfter(now time.Time, ttl time.Duration) deadline {
	if ttl == 0 {
		return 0
	}
	nanos := int64(ttl%time.Microsecond) + int64(now.Nanosecond()%1000)
	return deadline(now.UnixMicro() + int64(ttl/time.Microsecond) + (nanos+999)/1000)
}

func (d deadline) expired(now time.Time) bool { return d != 0 && int64(d) <= now.UnixMicro() }

// remaining is 0 for never, and more than 0 for what has not expired.
func (d deadline) remaining(now time.Time) time.Duration {
	if d == 0 {
		return 0
	}
	return time.UnixMicro(int64(d)).Sub(now)
}

// entry is what is about to be written.
type entry struct {
	key     string
	value   []byte
	written time.Time
	expires deadline
}

func newEntry(key string, value []byte, ttl time.Duration) entry {
	now := time.Now()
	return entry{key, value, now, deadlineAfter(now, ttl)}
}

// appendHead appends what comes before the value in a file.
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

// mtime is the modification time that tells the end of life without the file
// being opened. The latest is the latest that every platform can pass on.
func (e entry) mtime() time.Time {
	const latest = min(math.MaxInt, math.MaxInt64/int64(time.Second)-1)
	if e.expires == 0 {
		return e.written.AddDate(200, 0, 0)
	}
	return time.UnixMicro(min(int64(e.expires), latest*1e6))
}

// header is the fixed part of an entry.
type header struct {
	expires  deadline
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

// parseHeader reads the beginning of a file, which may be anything.
func parseHeader(data []byte) (header, error) {
	if len(data) < headerSize || string(data[:4]) != magic {
		return header{}, corrupt("not an entry")
	}
	if binary.LittleEndian.Uint16(data[4:]) != version || binary.LittleEndian.Uint16(data[6:]) != 0 {
		return header{}, corrupt("written by another version")
	}
	return header{
		expires:  deadline(binary.LittleEndian.Uint64(data[8:])),
		valueLen: binary.LittleEndian.Uint64(data[16:]),
		keyLen:   binary.LittleEndian.Uint32(data[24:]),
		checksum: binary.LittleEndian.Uint32(data[checksumAt:]),
	}, nil
}

// size is that of the whole file. It does not wrap: a length beyond any file
// gives a size that no file has.
func (h header) size() uint64 {
	return headerSize + uint64(h.keyLen) + min(h.valueLen, math.MaxInt64)
}

// value returns the value inside data, which is to be the whole file of key.
func (h header) value(data []byte, key string) ([]byte, error) {
	if uint64(len(data)) != h.size() {
		return nil, errCut
	}
	head, value := data[:headerSize+uint64(h.keyLen)], data[headerSize+uint64(h.keyLen):]
	if checksum(head, value) != h.checksum {
		return nil, corrupt("wrong checksum")
	}
	if string(head[headerSize:]) != key {
		return nil, corrupt("the entry of another key")
	}
	return value, nil
}
