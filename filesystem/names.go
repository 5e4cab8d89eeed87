package filesystem

import (
	"crypto/md5"
	"crypto/rand"
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

	// orphanAge is the age at which the temporary file of somebody else is taken
	// for what a crash left.
	orphanAge = time.Hour
)

// hashMethods makes names of keys, and nothing but keys: because the name of a
// key never depends on what else is stored, no two writers can disagree on it.
// MD5 and SHA-1 collide on demand, so half of a SHA-256 comes with them.
var hashMethods = map[string]func(key string) (name string){
	"md5": func(key string) string {
		weak, strong := md5.Sum([]byte(key)), sha256.Sum256([]byte(key))
		return entryName(weak[:], strong[:16])
	},
	"sha1": func(key string) string {
		weak, strong := sha1.Sum([]byte(key)), sha256.Sum256([]byte(key))
		return entryName(weak[:], strong[:16])
	},
	"sha256": func(key string) string {
		sum := sha256.Sum256([]byte(key))
		return entryName(sum[:])
	},
	"sha512": func(key string) string {
		sum := sha512.Sum512([]byte(key))
		return entryName(sum[:])
	},
}

func entryName(sums ...[]byte) string {
	name := make([]byte, 0, 2*sha512.Size+len(entrySuffix))
	for _, sum := range sums {
		name = hex.AppendEncode(name, sum)
	}
	return string(append(name, entrySuffix...))
}

// isEntry tells our files from others', whatever hash method made their names.
func isEntry(name string) bool {
	digits, ok := strings.CutSuffix(name, entrySuffix)
	if !ok {
		return false
	}
	switch len(digits) / 2 {
	case md5.Size + 16, sha1.Size + 16, sha512.Size:
		return len(digits)%2 == 0 && isHex(digits)
	}
	return false
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// tempNames makes names that no other process makes. They begin with the time,
// in seconds: a file's own times are no witness, for they are set to the future.
type tempNames struct {
	random string
	last   atomic.Uint32
}

func newTempNames() *tempNames {
	return &tempNames{random: rand.Text()}
}

func (t *tempNames) next(now time.Time) string {
	name := strconv.AppendInt(make([]byte, 0, 64), now.Unix(), 16)
	name = append(append(name, '-'), t.random...)
	name = hex.AppendEncode(name, binary.BigEndian.AppendUint32(nil, t.last.Add(1)))
	return string(append(name, tempSuffix...))
}

// tempTime returns when the temporary file called name was begun, and whether
// name is one of ours at all.
func tempTime(name string) (time.Time, bool) {
	stem, ok := strings.CutSuffix(name, tempSuffix)
	stamp, rest, found := strings.Cut(stem, "-")
	if !ok || !found || len(rest) != 26+8 {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(stamp, 16, 64)
	return time.Unix(seconds, 0), err == nil && isHex(stamp)
}
