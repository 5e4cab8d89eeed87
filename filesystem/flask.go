package filesystem

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/cachebackends/cachebackends/core/driver"
)

// The layout of cachelib.FileSystemCache, versions 0.7 to 0.15: one directory, files
// called <hash of the key in hex>, and in each the end of life as a C unsigned int,
// which is 0 for never, before a pickle. Source: src/cachelib/file.py.

const (
	flaskHeaderSize = 4
	flaskTempSuffix = ".__wz_cache"
	flaskCountKey   = "__wz_cache_count"
)

// flaskHashMethods make file names as cachelib does, by the names of hashlib.
var flaskHashMethods = map[string]func(key []byte) fileName{
	"md5":    func(key []byte) fileName { sum := md5.Sum(key); return plainName(sum[:]) },
	"sha1":   func(key []byte) fileName { sum := sha1.Sum(key); return plainName(sum[:]) },
	"sha256": func(key []byte) fileName { sum := sha256.Sum256(key); return plainName(sum[:]) },
	"sha512": func(key []byte) fileName { sum := sha512.Sum512(key); return plainName(sum[:]) },
}

func plainName(sum []byte) (n fileName) {
	n.length = len(hex.AppendEncode(n.text[:0], sum))
	return n
}

func flaskLayout(hash func(key []byte) fileName) *layout {
	count := hash([]byte(flaskCountKey))
	return &layout{
		hash: hash, fanOut: 1, tempSuffix: flaskTempSuffix, flask: true,
		nameLength: count.length, countFile: count.String(),
	}
}

var errReservedKey = fmt.Errorf("%w: cachelib keeps the number of entries under %s", driver.ErrInvalidKey, flaskCountKey)

// wholeSeconds rounds up to the seconds of Flask's files. The latest end is in 2106.
func (x expiry) wholeSeconds() expiry {
	const second = 1_000_000
	return min((x+second-1)/second, math.MaxUint32) * second
}

// A lease has an end of life in 1970, so that it is absent for Python, and the lease in
// place of a pickle: this text, the end of the hold in microseconds, and the token.
const (
	flaskLease     = "cbfs"
	flaskLeaseEnd  = 1 // second since 1970
	flaskLeaseSize = len(flaskLease) + 8
)

func (e entry) appendFlaskHead(dst []byte) []byte {
	if e.expires >= 0 {
		return binary.NativeEndian.AppendUint32(dst, uint32(e.expires/1e6))
	}
	dst = binary.NativeEndian.AppendUint32(dst, flaskLeaseEnd)
	return binary.LittleEndian.AppendUint64(append(dst, flaskLease...), uint64(-e.expires))
}

// parseFlaskHeader asks for the size of the file, which the header does not have: a short
// read would otherwise look like a short value.
func parseFlaskHeader(f file, head []byte) (header, error) {
	if len(head) < flaskHeaderSize {
		return header{}, errWrongLength
	}
	size, _, err := f.size()
	if err != nil {
		return header{}, err
	}
	seconds := binary.NativeEndian.Uint32(head)
	return header{
		flask:    true,
		expires:  expiry(seconds) * 1e6,
		valueLen: uint64(max(0, size-flaskHeaderSize)),
	}, nil
}

// parseFlaskLease returns the end and the token of a lease.
func parseFlaskLease(expires expiry, value []byte) (end expiry, token []byte, ok bool) {
	if expires != flaskLeaseEnd*1e6 || len(value) < flaskLeaseSize || !bytes.HasPrefix(value, []byte(flaskLease)) {
		return 0, nil, false
	}
	return -expiry(binary.LittleEndian.Uint64(value[len(flaskLease):])), value[flaskLeaseSize:], true
}

// fromFlask converts the value of e, of which the first n bytes are not of the file.
func (e entry) fromFlask(n int) entry {
	stored := e.value[n:]
	if end, token, ok := parseFlaskLease(e.expires, stored); ok {
		return entry{expires: end, value: append(e.value[:n], token...)}
	}
	if text := driver.IntegerFromPickle(stored); len(text) != len(stored) || !bytes.Equal(text, stored) {
		e.value = append(e.value[:n], text...)
	}
	return e
}
