package filesystem

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Get is compared with os.ReadFile of the same bytes, and Set with writing and
// renaming a temporary file. TMPDIR selects the file system.

var sizes = []int{100, 1 << 10, 64 << 10, 1 << 20}

func eachSize(b *testing.B, run func(b *testing.B, value []byte)) {
	for _, size := range sizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			run(b, pattern('v', size))
		})
	}
}

func BenchmarkGet(b *testing.B) {
	eachSize(b, func(b *testing.B, value []byte) {
		backend := openAt(b, Options{Dir: b.TempDir()})
		mustSet(b, backend, "key", string(value), time.Hour)
		for b.Loop() {
			if _, ok, err := backend.Get(b.Context(), "key"); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

func BenchmarkGetAppend(b *testing.B) {
	eachSize(b, func(b *testing.B, value []byte) {
		backend := openAt(b, Options{Dir: b.TempDir()})
		mustSet(b, backend, "key", string(value), time.Hour)
		buffer := make([]byte, 0, len(value))
		for b.Loop() {
			if _, ok, err := backend.GetAppend(b.Context(), "key", buffer); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

func BenchmarkGetRaw(b *testing.B) {
	eachSize(b, func(b *testing.B, value []byte) {
		path := filepath.Join(b.TempDir(), "key")
		writeFile(b, path, value)
		for b.Loop() {
			if _, err := os.ReadFile(path); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSet(b *testing.B) {
	eachSize(b, func(b *testing.B, value []byte) {
		backend := openAt(b, Options{Dir: b.TempDir()})
		for b.Loop() {
			if err := backend.Set(b.Context(), "key", value, time.Hour); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSetRaw(b *testing.B) {
	eachSize(b, func(b *testing.B, value []byte) {
		path := filepath.Join(b.TempDir(), "key")
		for b.Loop() {
			writeFile(b, path+".tmp", value)
			if err := os.Rename(path+".tmp", path); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSetFresh stores a new key each time, at the threshold.
func BenchmarkSetFresh(b *testing.B) {
	backend := openAt(b, Options{Dir: b.TempDir()})
	for i := 0; b.Loop(); i++ {
		if err := backend.Set(b.Context(), strconv.Itoa(i), []byte("value"), time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSetFreshRaw removes the file of 500 rounds before.
func BenchmarkSetFreshRaw(b *testing.B) {
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		path := filepath.Join(dir, strconv.Itoa(i))
		writeFile(b, path+".tmp", []byte("value"))
		if err := os.Rename(path+".tmp", path); err != nil {
			b.Fatal(err)
		}
		if i >= 500 {
			os.Remove(filepath.Join(dir, strconv.Itoa(i-500)))
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	backend := openAt(b, Options{Dir: b.TempDir()})
	for i := 0; b.Loop(); i++ {
		if added, err := backend.Add(b.Context(), strconv.Itoa(i), []byte("value"), time.Hour); !added || err != nil {
			b.Fatal(added, err)
		}
	}
}

func BenchmarkInc(b *testing.B) {
	backend := openAt(b, Options{Dir: b.TempDir()})
	for b.Loop() {
		if _, err := backend.Inc(b.Context(), "key", 1, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHas(b *testing.B) {
	backend := openAt(b, Options{Dir: b.TempDir()})
	mustSet(b, backend, "key", "value", time.Hour)
	for key, want := range map[string]bool{"key": true, "absent": false} {
		b.Run(key, func(b *testing.B) {
			for b.Loop() {
				if ok, err := backend.Has(b.Context(), key); ok != want || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
