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
)

const (
	entrySuffix = ".cache"
	tempSuffix  = ".tmp"

	// staleAge is the age at which a temporary file counts as left by a crash.
	staleAge = time.Hour
)

// hashMethods maps the name of a hash method to the function that makes a file
// name of a key. The name depends on nothing but the key, so that all writers
// agree on it. MD5 and SHA-1 are extended by half of a SHA-256, because keys
// with equal MD5 or SHA-1 sums can be made on purpose.
var hashMethods = map[string]func(key string) (name string){
	"md5":    func(key string) string { sum := md5.Sum([]byte(key)); return extendedName(sum[:], key) },
	"sha1":   func(key string) string { sum := sha1.Sum([]byte(key)); return extendedName(sum[:], key) },
	"sha256": func(key string) string { sum := sha256.Sum256([]byte(key)); return entryName(sum[:]) },
	"sha512": func(key string) string { sum := sha512.Sum512([]byte(key)); return entryName(sum[:]) },
}

func extendedName(weak []byte, key string) string {
	strong := sha256.Sum256([]byte(key))
	return entryName(append(weak, strong[:16]...))
}

func entryName(sum []byte) string {
	name := make([]byte, 0, 2*sha512.Size+len(entrySuffix))
	return string(append(hex.AppendEncode(name, sum), entrySuffix...))
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
	last   atomic.Uint32
}

func (t *tempNames) next(now time.Time) string {
	name := strconv.AppendInt(make([]byte, 0, 64), now.Unix(), 16)
	name = append(append(name, '-'), t.random...)
	name = hex.AppendEncode(name, binary.BigEndian.AppendUint32(nil, t.last.Add(1)))
	return string(append(name, tempSuffix...))
}

// tempTime returns the time in the name of a temporary file, and whether name
// has the form of one.
func tempTime(name string) (created time.Time, ok bool) {
	stem, ok := strings.CutSuffix(name, tempSuffix)
	stamp, rest, found := strings.Cut(stem, "-")
	if !ok || !found || len(rest) != 26+8 {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(stamp, 16, 64)
	return time.Unix(seconds, 0), err == nil && isHex(stamp)
}
