package filesystem

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// encoded returns the whole file of an entry.
func encoded(key, value string, expires expiry) []byte {
	e := entry{key: key, value: []byte(value), expires: expires}
	return append(e.appendHead(nil), value...)
}

// resealed gives damaged bytes a valid checksum.
func resealed(data []byte) []byte {
	keyLen := binary.LittleEndian.Uint32(data[24:])
	head, value := data[:headerSize+keyLen], data[headerSize+keyLen:]
	binary.LittleEndian.PutUint32(data[checksumAt:], checksum(head, value))
	return data
}

func TestFormat(t *testing.T) {
	want := "cbfs" + "\x02\x00" + "\x00\x00" + "\x08\x07\x06\x05\x04\x03\x02\x01" +
		"\x05\x00\x00\x00\x00\x00\x00\x00" + "\x03\x00\x00\x00" + "\x91(Ep" + "key" + "value"
	if got := encoded("key", "value", 0x0102030405060708); string(got) != want {
		t.Errorf("the file of an entry is\n%q, want\n%q", got, want)
	}
}

// Modification times order the files for eviction, whatever the width of the
// system's times: first by expiry, then the entries that never expire by age.
func TestModificationTimes(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	never := func(written time.Time) entry { return entry{written: written} }
	expiring := func(after time.Duration) entry {
		return entry{written: now, expires: expiryAfter(now, after)}
	}
	inOrder := []entry{
		expiring(time.Second), expiring(time.Minute), expiring(5 * 365 * 24 * time.Hour),
		never(now.Add(-time.Hour)), never(now), never(now.Add(time.Microsecond)), never(now.AddDate(5, 0, 0)),
	}
	for name, latest := range map[string]int64{"32 bits": math.MaxInt32 - 1, "64 bits": math.MaxInt64/int64(time.Second) - 1} {
		t.Run(name, func(t *testing.T) {
			last := time.Unix(latest, 0)
			before := now
			for i, e := range inOrder {
				got := e.mtimeUpTo(last)
				if !got.After(before) || got.After(last) {
					t.Errorf("entry %d: %v, want a time after %v and not after %v", i, got, before, last)
				}
				before = got
			}
			longest := expiring(math.MaxInt64).mtimeUpTo(last)
			if !longest.Before(never(now).mtimeUpTo(last)) || longest.Before(now.AddDate(10, 0, 0)) {
				t.Errorf("the longest TTL has the time %v", longest)
			}
			if got, want := expiring(time.Hour).mtimeUpTo(last), now.Add(time.Hour); !got.Equal(want) {
				t.Errorf("an hour has the time %v, want %v", got, want)
			}
		})
	}
}

// A file that is not a valid entry of the key is absent for every method, also if its
// modification time has not changed, and every write repairs it. Rules BAS-15, VAL-12.
func TestCorruptFiles(t *testing.T) {
	change := func(at int, to byte) func([]byte) []byte {
		return func(data []byte) []byte { data[at] = to; return data }
	}
	tests := map[string]func(data []byte) []byte{
		"empty":             func([]byte) []byte { return nil },
		"foreign":           func([]byte) []byte { return []byte("#!/bin/sh\nexit 0 # more than a header of text\n") },
		"zeros":             func(data []byte) []byte { return make([]byte, len(data)) },
		"cut in the header": func(data []byte) []byte { return data[:headerSize-1] },
		"cut in the key":    func(data []byte) []byte { return data[:headerSize+1] },
		"cut in the value":  func(data []byte) []byte { return data[:len(data)-1] },
		"overlong":          func(data []byte) []byte { return append(data, 'x') },
		"bit of the value":  func(data []byte) []byte { data[len(data)-1] ^= 1; return data },
		"bit of the expiry": func(data []byte) []byte { data[8] ^= 1; return data },
		"later version":     func(data []byte) []byte { return resealed(change(4, 3)(data)) },
		"earlier version":   func(data []byte) []byte { return resealed(change(4, 1)(data)) },
		"unknown flag":      func(data []byte) []byte { return resealed(change(6, 1)(data)) },
		"another key":       func([]byte) []byte { return encoded("yek", "value", 0) },
		"absurd value size": func(data []byte) []byte { binary.LittleEndian.PutUint64(data[16:], math.MaxUint64); return data },
		"negative size":     func(data []byte) []byte { binary.LittleEndian.PutUint64(data[16:], 1<<63); return data },
		"absurd key size":   func(data []byte) []byte { binary.LittleEndian.PutUint32(data[24:], math.MaxUint32); return data },
		"long, cut":         func([]byte) []byte { return encoded("key", string(pattern('x', 1<<20)), 0)[:1<<19] },
		"long, one bit":     func([]byte) []byte { d := encoded("key", string(pattern('x', 1<<20)), 0); d[1<<19] ^= 1; return d },
		"long, another key": func([]byte) []byte { return encoded("yek", string(pattern('x', 1<<20)), 0) },
		"long, last bit":    func([]byte) []byte { d := encoded("key", string(pattern('x', 1<<20)), 0); d[len(d)-1] ^= 1; return d },
		"long, overlong":    func([]byte) []byte { return append(encoded("key", string(pattern('x', 1<<20)), 0), 'x') },
		"long key":          func([]byte) []byte { return encoded("key"+string(pattern('x', 1<<20)), "value", 0) },
		"expired":           func([]byte) []byte { return encoded("key", "value", 1) },
	}
	b, ctx := openAt(t, Options{Dir: t.TempDir()}), t.Context()
	mustSet(t, b, "healthy", "value", time.Minute)
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			path := fileOf(b, "key")
			replace := func(mtime time.Time) {
				t.Helper()
				writeFile(t, path, damage(encoded("key", "value", expiryAfter(time.Now(), time.Minute))))
				if err := os.Chtimes(path, mtime, mtime); err != nil {
					t.Fatal(err)
				}
			}
			for _, mtime := range []time.Time{time.Now(), time.Now().Add(time.Minute), time.Unix(latestTime, 0)} {
				replace(mtime)
				wantAbsent(t, b, "key")
				values, err := driver.Resolve(b).GetMany(ctx, []string{"key", "healthy"})
				if values[0] != nil || string(values[1]) != "value" {
					t.Errorf("GetMany = %q, %v; want the healthy value", values, err)
				}
				if name != "expired" && !errors.Is(err, driver.ErrCorrupt) {
					t.Errorf("GetMany = %v, want ErrCorrupt", err)
				}
				if deleted, err := b.Delete(ctx, "key"); deleted || err != nil {
					t.Errorf("Delete = %v, %v; want false", deleted, err)
				}
				replace(mtime)
				if sum, err := b.Inc(ctx, "key", 3, 0); sum != 3 || err != nil {
					t.Errorf("Inc = %d, %v; want the delta", sum, err)
				}
				replace(mtime)
				if added, err := b.Add(ctx, "key", []byte("added"), time.Minute); !added || err != nil {
					t.Errorf("Add = %v, %v; want true", added, err)
				}
				wantGet(t, b, "key", "added")
				replace(mtime)
				mustSet(t, b, "key", "repaired", time.Minute)
				wantGet(t, b, "key", "repaired")
			}
		})
	}
}

// Has reads large files in parts.
func TestHasOfLargeEntries(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	for _, sizes := range [][2]int{{1, readBufferSize}, {readBufferSize, 1}, {3*readBufferSize + 5, 2 * readBufferSize}, {1, 1 << 20}} {
		key := string(pattern('k', sizes[0]))
		mustSet(t, b, key, string(pattern('v', sizes[1])), time.Minute)
		if ok, err := b.Has(t.Context(), key); !ok || err != nil {
			t.Errorf("Has of %d bytes under %d bytes = %v, %v", sizes[1], sizes[0], ok, err)
		}
		other := key[1:] + "x"
		writeFile(t, fileOf(b, other), readFile(t, fileOf(b, key)))
		wantAbsent(t, b, other)
	}
	if n := testing.AllocsPerRun(10, func() { b.Has(t.Context(), string(pattern('k', readBufferSize))) }); n > 32 {
		t.Errorf("%v allocations", n)
	}
}

// A restore from a backup or a coarse file system may change the modification time.
func TestHasWithWrongModificationTime(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir()})
	mustSet(t, b, "k", "v", time.Minute)
	for _, mtime := range []time.Time{time.Now(), time.Unix(0, 0)} {
		if err := os.Chtimes(fileOf(b, "k"), mtime, mtime); err != nil {
			t.Fatal(err)
		}
		if ok, err := b.Has(t.Context(), "k"); !ok || err != nil {
			t.Errorf("Has with time %v = %v, %v", mtime, ok, err)
		}
		wantGet(t, b, "k", "v")
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte(nil), "key")
	f.Add(encoded("key", "value", 0), "key")
	f.Add(encoded("", "", math.MaxInt64), "")
	f.Add(resealed(append(encoded("key", "", 0), "cbfs"...)), "key")
	b := openAt(f, Options{Dir: f.TempDir()})
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		mustSet(t, b, key, "", 0)
		writeFile(t, fileOf(b, key), data)
		e, err := b.read(key, nil, true)
		if err == nil {
			e.key = key
			if again := append(e.appendHead(nil), e.value...); !bytes.Equal(again, data) {
				t.Errorf("decoded and encoded again\n%q becomes\n%q", data, again)
			}
			return
		}
		if !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("%v is not ErrCorrupt", err)
		}
	})
}
