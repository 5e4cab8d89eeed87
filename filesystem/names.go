package filesystem

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	entrySuffix = ".cache"
	tempSuffix  = ".tmp"

	// staleAge is the age at which a temporary file counts as left by a crash.
	staleAge = time.Hour
)

// fileName is the name of an entry's file. It is a value, so that a read needs no memory
// of its own for the name.
type fileName struct {
	text   [2*sha512.Size + len(entrySuffix)]byte
	length int
}

// String returns the name. It shares the memory of n, which does not change.
func (n *fileName) String() string { return unsafe.String(&n.text[0], n.length) }

// hashMethods maps the name of a hash method to the function that makes a file
// name of a key. The name depends on nothing but the key, so that all writers
// agree on it. MD5 and SHA-1 are extended by half of a SHA-256, because keys
// with equal MD5 or SHA-1 sums can be made on purpose.
var hashMethods = map[string]func(key []byte) fileName{
	"md5":    func(key []byte) fileName { sum := md5.Sum(key); return extendedName(sum[:], key) },
	"sha1":   func(key []byte) fileName { sum := sha1.Sum(key); return extendedName(sum[:], key) },
	"sha256": func(key []byte) fileName { sum := sha256.Sum256(key); return nameOf(sum[:], nil) },
	"sha512": func(key []byte) fileName { sum := sha512.Sum512(key); return nameOf(sum[:], nil) },
}

func extendedName(weak, key []byte) fileName {
	strong := sha256.Sum256(key)
	return nameOf(weak, strong[:16])
}

func nameOf(sum, extension []byte) (n fileName) {
	text := hex.AppendEncode(hex.AppendEncode(n.text[:0], sum), extension)
	n.length = len(append(text, entrySuffix...))
	return n
}

// fileName returns the name of the file of key.
func (b *Backend) fileName(key string) fileName {
	return b.layout.hash(unsafe.Slice(unsafe.StringData(key), len(key))) // a hash does not write to its input
}

// entryName is fileName for callers that keep the name.
func (b *Backend) entryName(key string) string {
	n := b.fileName(key)
	return string(n.text[:n.length])
}

// isEntry reports whether name has the form of an entry's file name, by any of
// the hash methods.
func isEntry(name string) bool {
	digits, ok := strings.CutSuffix(name, entrySuffix)
	switch len(digits) {
	case 2 * (md5.Size + 16), 2 * (sha1.Size + 16), 2 * sha512.Size:
		return ok && isHex(digits)
	}
	return false
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// tempNames makes names of temporary files, different from those of all other
// processes. A name begins with the time of its creation in seconds, because
// the modification time of the file is set to the expiry of its entry.
type tempNames struct {
	random string
	suffix string
	last   atomic.Uint32
}

func (t *tempNames) next(now time.Time) string {
	name := strconv.AppendInt(make([]byte, 0, 64), now.Unix(), 16)
	name = append(append(name, '-'), t.random...)
	name = hex.AppendEncode(name, binary.BigEndian.AppendUint32(nil, t.last.Add(1)))
	return string(append(name, t.suffix...))
}

// tempTime returns the time in the name of a temporary file of this package, and whether
// name has the form of one.
func (l *layout) tempTime(name string) (created time.Time, ok bool) {
	stem, ok := strings.CutSuffix(name, l.tempSuffix)
	stamp, rest, found := strings.Cut(stem, "-")
	if !ok || !found || len(rest) != 26+8 {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(stamp, 16, 64)
	return time.Unix(seconds, 0), err == nil && isHex(stamp)
}
