package filesystem

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// openAt returns New(o), closed when the test ends.
func openAt(t testing.TB, o Options) *Backend {
	t.Helper()
	b, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	return b
}

// skip skips a test for which the machine lacks something, or fails it if
// CONFORMANCE_STRICT demands a complete run.
func skip(t *testing.T, why ...any) {
	t.Helper()
	if os.Getenv("CONFORMANCE_STRICT") == "1" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

func mustSet(t testing.TB, b *Backend, key, value string, ttl time.Duration) {
	t.Helper()
	if err := b.Set(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatalf("Set %q: %v", key, err)
	}
}

func wantGet(t testing.TB, b *Backend, key, want string) {
	t.Helper()
	value, ok, err := b.Get(t.Context(), key)
	if !ok || err != nil || string(value) != want {
		t.Fatalf("Get %q = %.60q, %v, %v; want %.60q", key, value, ok, err, want)
	}
}

// wantAbsent checks that every read is a miss. Get may return ErrCorrupt.
func wantAbsent(t testing.TB, b *Backend, key string) {
	t.Helper()
	if value, ok, err := b.Get(t.Context(), key); ok || err != nil && !errors.Is(err, driver.ErrCorrupt) {
		t.Errorf("Get %q = %.60q, %v, %v; want a miss", key, value, ok, err)
	}
	if ok, err := b.Has(t.Context(), key); ok || err != nil {
		t.Errorf("Has %q = %v, %v; want false", key, ok, err)
	}
	if ttl, ok, err := b.TTL(t.Context(), key); ok || err != nil {
		t.Errorf("TTL %q = %v, %v, %v; want a miss", key, ttl, ok, err)
	}
}

// files lists the paths in dir that match pattern, and those in its fan-out directories.
func files(t testing.TB, dir, pattern string) (all []string) {
	t.Helper()
	for _, path := range []string{pattern, filepath.Join("[0-9a-f][048c]", pattern)} {
		names, err := filepath.Glob(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, names...)
	}
	return slices.DeleteFunc(all, func(path string) bool { return len(filepath.Base(path)) == 2 })
}

// fileOf returns the path of the file of key, whose directory exists.
func fileOf(b *Backend, key string) string {
	name := b.entryName(key)
	dir := filepath.Join(b.options.Dir, sliceName(sliceOf(name)))
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		panic(err)
	}
	return filepath.Join(dir, name)
}

// inSlice runs op with the fan-out directory of key, which it creates if it is absent.
func inSlice(b *Backend, key string, op func(s *slice) error) error {
	return b.withSlice(sliceOf(b.entryName(key)), true, op)
}

// writeOf returns a write of e in s.
func writeOf(b *Backend, s *slice, e entry) *writeTx { return b.newWrite(s, b.entryName(e.key), e) }

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// pattern returns a value in which a torn read is visible: n repeated.
func pattern(n byte, size int) []byte { return bytes.Repeat([]byte{n}, size) }

func isPattern(value []byte, size int) bool {
	return len(value) == size && bytes.Count(value, value[:1]) == size
}
