package filesystem

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// flaskGolden calls f with each line of testdata/flask.txt, which testdata/flask.py wrote
// with several versions of cachelib.
func flaskGolden(t *testing.T, f func(version, method, key, name string, data []byte)) {
	t.Helper()
	for line := range strings.Lines(string(readFile(t, "testdata/flask.txt"))) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		key, err := strconv.Unquote(`"` + fields[2] + `"`)
		if err != nil {
			t.Fatal(err)
		}
		data, err := hex.DecodeString(fields[4])
		if err != nil {
			t.Fatal(err)
		}
		f(fields[0], fields[1], key, fields[3], data)
	}
}

func TestFlaskGolden(t *testing.T) {
	integers := map[string]string{"int": "5", "negative": "-70000", "large": "9223372036854775807"}
	seen := map[string]bool{}
	flaskGolden(t, func(version, method, key, name string, data []byte) {
		seen[version] = true
		b := openAt(t, Options{Dir: t.TempDir(), Flask: true, HashMethod: method})
		if key == flaskCountKey {
			if b.layout.countFile != name {
				t.Errorf("%s, %s: the count file is %s, want %s", version, method, b.layout.countFile, name)
			}
			return
		}
		writeFile(t, filepath.Join(b.options.Dir, name), data)
		want := string(data[flaskHeaderSize:])
		if text, is := integers[key]; is {
			want = text
		}
		value, ttl, ok, err := b.GetWithTTL(t.Context(), key)
		if err != nil || !ok || string(value) != want {
			t.Errorf("%s, %s, %q: %q, %v, %v, want %q", version, method, key, value, ok, err, want)
		}
		if forever := ttl == 0; forever != (key != "life") || !forever && time.Until(time.Unix(4e9+60, 0))-ttl > time.Second {
			t.Errorf("%s, %s, %q: the remaining TTL is %v", version, method, key, ttl)
		}
		if deleted, err := b.Delete(t.Context(), key); !deleted || err != nil {
			t.Errorf("%s, %s, %q: Delete = %v, %v", version, method, key, deleted, err)
		}
	})
	if len(seen) < 4 {
		t.Errorf("testdata/flask.txt is of %v", seen)
	}
}

func TestFlaskHeader(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Flask: true, HashMethod: "MD5"})
	path := filepath.Join(b.options.Dir, b.entryName("k"))
	for text, live := range map[string]bool{"": false, "\x00\x00\x00": false, "\x00\x00\x00\x00": true, "\x01\x00\x00\x00v": false, "\xff\xff\xff\xffv": true} {
		writeFile(t, path, []byte(text))
		if ok, err := b.Has(t.Context(), "k"); ok != live || err != nil {
			t.Errorf("Has of %q = %v, %v", text, ok, err)
		}
		if value, ok, err := b.Get(t.Context(), "k"); ok != live || live && string(value) != text[4:] || err != nil && !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("Get of %q = %q, %v, %v", text, value, ok, err)
		}
		if added, err := b.Add(t.Context(), "k", nil, 0); added == live || err != nil {
			t.Errorf("Add over %q = %v, %v", text, added, err)
		}
	}
}

func TestFlaskExpiryOfLongTTLs(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Flask: true})
	for _, ttl := range []time.Duration{1, time.Second, 79 * 365 * 24 * time.Hour, 1<<63 - 1} {
		mustSet(t, b, "k", "v", ttl)
		left, ok, err := b.TTL(t.Context(), "k")
		latest := time.Until(time.Unix(1<<32-1, 0)) - time.Second
		if !ok || err != nil || left < min(ttl, latest)-time.Second || left > ttl && left-ttl > time.Second {
			t.Errorf("a TTL of %v became %v, %v, %v", ttl, left, ok, err)
		}
	}
}

func TestFlaskRefusesTheCountKey(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Flask: true})
	if err := b.Set(t.Context(), flaskCountKey, nil, 0); !errors.Is(err, driver.ErrInvalidKey) {
		t.Errorf("Set: %v", err)
	}
	if _, ok, err := b.Get(t.Context(), flaskCountKey); ok || !errors.Is(err, driver.ErrInvalidKey) {
		t.Errorf("Get: %v", err)
	}
	if err := b.ClearPrefix(t.Context(), "a"); !driver.IsUnsupported(err) {
		t.Errorf("ClearPrefix: %v", err)
	}
	b.Close()
	if err := b.ClearPrefix(t.Context(), "a"); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("ClearPrefix after Close: %v", err)
	}
}

// storedCount returns the number in cachelib's count file.
func storedCount(t *testing.T, b *Backend) (n int) {
	t.Helper()
	err := b.inSliceAt(0, func(s *slice) error {
		n = b.countOf(s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFlaskCountFile(t *testing.T) {
	dir := t.TempDir()
	b := openAt(t, Options{Dir: dir, Flask: true, Threshold: 20})
	wantCount := func(when string, want int) {
		t.Helper()
		if got := storedCount(t, b); got != want {
			t.Errorf("the count %s is %d, want %d", when, got, want)
		}
	}
	wantCount("of an empty directory", 0)
	for i := range 10 {
		for range 2 {
			mustSet(t, b, strconv.Itoa(i), "v", 0)
		}
	}
	wantCount("after 10 new entries", 10)
	if _, err := b.Inc(t.Context(), "counter", 1, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add(t.Context(), "0", nil, 0); err != nil {
		t.Fatal(err)
	}
	wantCount("after a counter", 11)
	for _, key := range []string{"0", "1", "none"} {
		if _, err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	wantCount("after two were deleted", 9)
	for i := range 40 {
		mustSet(t, b, "more"+strconv.Itoa(i), "v", time.Hour)
	}
	b.evictions.Wait()
	wantCount("after evictions", len(files(t, dir, "*"))-1)
	b.inSliceAt(0, func(s *slice) error {
		return b.withLock(t.Context(), s, func() error {
			b.setCount(s, 1000)
			return nil
		})
	})
	other := openAt(t, Options{Dir: dir, Flask: true, Threshold: 20})
	wantCount("after another handle was opened", len(files(t, dir, "*"))-1)
	mustSet(t, other, "other", "v", 0)
	if err := b.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCount("after Clear", 0)
	unlimited := openAt(t, Options{Dir: t.TempDir(), Flask: true, Threshold: NoLimit})
	mustSet(t, unlimited, "k", "v", 0)
	if all := files(t, unlimited.options.Dir, "*"); len(all) != 1 {
		t.Errorf("without a threshold there are the files %q, want that of the entry", all)
	}
}

// A lease is expired for Python, and is replaced by whoever sets the key.
func TestFlaskLease(t *testing.T) {
	b := openAt(t, Options{Dir: t.TempDir(), Flask: true})
	_, _, token, err := b.Lease(t.Context(), "k", time.Minute)
	if err != nil || token == "" {
		t.Fatalf("Lease: %q, %v", token, err)
	}
	path := filepath.Join(b.options.Dir, b.entryName("k"))
	if data := readFile(t, path); string(data[:4]) != "\x01\x00\x00\x00" && string(data[:4]) != "\x00\x00\x00\x01" {
		t.Errorf("the file of a lease begins with %q", data[:4])
	}
	writeFile(t, path, []byte("\x00\x00\x00\x00\x80\x05N."))
	if filled, err := b.Fill(t.Context(), "k", token, []byte("stale"), 0); filled || err != nil {
		t.Errorf("Fill over an entry of Python: %v, %v", filled, err)
	}
	wantGet(t, b, "k", "\x80\x05N.")
}

// python is cachelib's FileSystemCache.
type python struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startPython(t *testing.T, dir string) *python {
	t.Helper()
	const interpreter = "/usr/bin/python3" // of the Debian packages
	if out, err := exec.Command(interpreter, "-c", "import cachelib").CombinedOutput(); err != nil {
		t.Skipf("cachelib is not installed; the golden files are tested: %v %s", err, out)
	}
	cmd := exec.Command(interpreter, "testdata/flask.py", "serve", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &python{t, in, bufio.NewScanner(out)}
}

func (p *python) want(statement, want string) {
	p.t.Helper()
	fmt.Fprintln(p.in, statement)
	if !p.out.Scan() || p.out.Text() != want {
		p.t.Errorf("%s is %s, want %s", statement, p.out.Text(), want)
	}
}

func TestFlaskWithPython(t *testing.T) {
	dir := t.TempDir()
	py := startPython(t, dir)
	b := openAt(t, Options{Dir: dir, Flask: true, Threshold: 10})
	mustSet(t, b, "int", "-70000", time.Hour)
	mustSet(t, b, "text", "\x80\x04\x8c\x01x.", 0)
	py.want(`c.get("int"), c.get("text"), c.has("int"), c.add("int", 1), c._file_count`, "(-70000, 'x', True, False, 2)")
	py.want(`c.inc("int", 5), c.set("py", 7), c.set("bool", True), c.set("ends", 1, timeout=1000)`, "(-69995, True, True, True)")
	wantGet(t, b, "int", "-69995")
	wantGet(t, b, "bool", "\x80\x05\x88.")
	if sum, err := b.Inc(t.Context(), "py", 1, 0); sum != 8 || err != nil {
		t.Errorf("Inc = %d, %v", sum, err)
	}
	if _, err := b.Inc(t.Context(), "bool", 1, 0); !errors.Is(err, driver.ErrNotInteger) {
		t.Errorf("Inc of a bool: %v", err)
	}
	if left, _, _ := b.TTL(t.Context(), "ends"); left < 998*time.Second || left > 1000*time.Second {
		t.Errorf("the TTL of Python's entry is %v", left)
	}
	py.want(`c.get("py"), c.delete("py"), c._file_count`, "(8, True, 4)")
	wantAbsent(t, b, "py")
	if deleted, err := b.Delete(t.Context(), "text"); !deleted || err != nil {
		t.Errorf("Delete = %v, %v", deleted, err)
	}
	_, _, token, err := b.Lease(t.Context(), "leased", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	py.want(`c.get("text"), c.has("text"), c.get("leased"), c.has("leased"), c.set("leased", "python")`, "(None, False, None, False, True)")
	if filled, err := b.Fill(t.Context(), "leased", token, []byte("stale"), 0); filled || err != nil {
		t.Errorf("Fill after Python's set: %v, %v", filled, err)
	}
	// Entries of Go count for the threshold of Python, and those of Python for that of Go.
	for i := range 6 {
		mustSet(t, b, strconv.Itoa(i), "\x80\x04N.", 0)
	}
	py.want(`c._file_count, [c.set(f"p{i}", i) for i in range(3)], c._file_count <= 11`, "(10, [True, True, True], True)")
	for i := range 12 {
		mustSet(t, b, "more"+strconv.Itoa(i), "\x80\x04N.", 0)
	}
	if all := files(t, dir, "*"); len(all) > 11+1 {
		t.Errorf("there are %d files, want at most 12", len(all))
	}
	py.want(`c.clear(), c._file_count`, "(True, 0)")
	wantAbsent(t, b, "more11")
}

// Both sides write one key: readers see whole values only.
func TestFlaskReplacesAtomically(t *testing.T) {
	dir := t.TempDir()
	py := startPython(t, dir)
	b := openAt(t, Options{Dir: dir, Flask: true})
	const size = 200_000
	head, tail := "\x80\x04B\x40\x0d\x03\x00", "."
	mustSet(t, b, "k", head+strings.Repeat("g", size)+tail, 0)
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 100 {
			mustSet(t, b, "k", head+strings.Repeat("g", size)+tail, 0)
		}
	})
	py.want(`{(len(v), len(set(v))) for i in range(100) if c.set("k", b"p" * 200000) for v in [c.get("k")]}`, "{(200000, 1)}")
	writer.Wait()
	value, ok, err := b.Get(t.Context(), "k")
	if !ok || err != nil || len(value) < size {
		t.Errorf("Get = %d bytes, %v, %v", len(value), ok, err)
	}
}
