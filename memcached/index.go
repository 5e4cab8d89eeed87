package memcached

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// flagSpread marks the index of a large value.
const flagSpread = 'S'<<24 | 'P'<<16 | 'R'<<8 | 'D'

// flagChunk marks a chunk of a large value. Only Scan, which does not list chunks, reads it.
const flagChunk = 'S'<<24 | 'P'<<16 | 'R'<<8 | 'C'

// index is what is stored under the key of a large value. It describes the chunks.
type index struct {
	generation [16]byte // random, part of the keys of the chunks
	size       int      // of the value, in bytes
	chunk      int      // of every chunk but the last, in bytes
	sum        uint32   // CRC-32C of the value
}

const (
	indexVersion = 1
	indexSize    = 1 + 8 + 4 + 4 + 16 + 4

	// chunkSuffix is the size of what the key of a chunk adds to the key of the value: a
	// tilde, the generation in base64, a dot and the number.
	chunkSuffix = 1 + 22 + 1 + 4

	// maxChunks is the largest Options.MaxChunks, whose digits fit into chunkSuffix.
	maxChunks = 9999
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newIndex(value []byte, chunk int) index {
	x := index{size: len(value), chunk: chunk, sum: crc32.Checksum(value, castagnoli)}
	rand.Read(x.generation[:])
	return x
}

// encode returns version, size, number of chunks, size of a chunk, generation and sum.
func (x index) encode() []byte {
	b := append(make([]byte, 0, indexSize), indexVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(x.size))
	b = binary.BigEndian.AppendUint32(b, uint32(x.count()))
	b = binary.BigEndian.AppendUint32(b, uint32(x.chunk))
	b = append(b, x.generation[:]...)
	return binary.BigEndian.AppendUint32(b, x.sum)
}

// decodeIndex rejects sizes that are never written with o.
func decodeIndex(b []byte, o Options) (index, error) {
	if len(b) != indexSize || b[0] != indexVersion {
		return index{}, errNoIndex
	}
	size, count := binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint32(b[9:])
	x := index{chunk: int(binary.BigEndian.Uint32(b[13:])), sum: binary.BigEndian.Uint32(b[33:])}
	copy(x.generation[:], b[17:])
	if size > uint64(o.spreadLimit()) || x.chunk <= 0 || x.chunk > o.maxValue() {
		return index{}, fmt.Errorf("%w: a value of %d bytes in chunks of %d exceeds ChunkSize and MaxChunks",
			driver.ErrCorrupt, size, x.chunk)
	}
	x.size = int(size)
	if x.count() != int(count) || count > maxChunks {
		return index{}, errNoIndex
	}
	return x, nil
}

var (
	errNoIndex = fmt.Errorf("%w: not an index of chunks", driver.ErrCorrupt)
	errNoValue = fmt.Errorf("%w: the chunks do not match their index", driver.ErrCorrupt)
)

func (x index) count() int {
	n := x.size / x.chunk
	if x.size%x.chunk > 0 {
		n++
	}
	return n
}

// maxAhead is how many bytes are allocated for values before their chunks are read. The
// memory of larger values grows with what the server really sends: an index of 37 bytes
// may state any size.
const maxAhead = 4 << 20

// chunks returns the items of value, which may be nil.
func (x index) chunks(key string, value []byte) []wire.Item {
	chunks := make([]wire.Item, x.count())
	prefix := key + "~" + base64.RawURLEncoding.EncodeToString(x.generation[:]) + "."
	for i := range chunks {
		chunks[i].Key = fmt.Sprintf("%s%04d", prefix, i)
		if value != nil {
			begin := i * x.chunk
			end := begin + min(x.chunk, x.size-begin)
			chunks[i].Value = value[begin:end:end]
		}
	}
	return chunks
}

// cutChunk returns the key of the value of which this may be the key of a chunk.
func cutChunk(key string) (entry string, isChunk bool) {
	end := len(key) - chunkSuffix
	if end <= 0 || key[end] != '~' || key[len(key)-5] != '.' {
		return "", false
	}
	_, err := base64.RawURLEncoding.DecodeString(key[end+1 : len(key)-5])
	return key[:end], err == nil
}

// assemble returns the value of chunks, of which some may have been read into memory. It
// reports whether all are present. The error is that of a chunk that cannot be read or is
// damaged.
func (x index) assemble(memory []byte, chunks []wire.Item) (value []byte, complete bool, err error) {
	if err := wire.FirstError(chunks); err != nil {
		return nil, false, err
	}
	for i := range chunks {
		if !chunks[i].OK {
			return nil, false, nil
		}
	}
	for i, left := 0, x.size; left > 0; i++ {
		if len(chunks[i].Value) != min(x.chunk, left) {
			return nil, false, errNoValue
		}
		left -= len(chunks[i].Value)
	}
	if memory == nil {
		memory = make([]byte, x.size) // the server has sent as much
	}
	rest := memory
	for i := range chunks {
		part := chunks[i].Value
		if &part[0] != &rest[0] {
			copy(rest, part)
		}
		rest = rest[len(part):]
	}
	if crc32.Checksum(memory, castagnoli) != x.sum {
		return nil, false, errNoValue
	}
	return memory, true, nil
}
