package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var update = flag.Bool("update", false, "write golden files")

const goldenDump = "testdata/golden.dump"

// goldenRecords are the entries of the golden dump.
var goldenRecords = []record{
	{key: "greeting", value: []byte("hello")},
	{key: "empty", value: []byte{}, expires: time.UnixMilli(4102444800123)}, // 2100
	{key: "any \x00 bytes \xff", value: []byte("\x00\xff"), expires: time.UnixMilli(1)},
	{key: "large", value: bytes.Repeat([]byte("x"), 300), expires: time.UnixMilli(4102444800000)},
}

func writeDump(t *testing.T, records []record) []byte {
	t.Helper()
	var file bytes.Buffer
	created := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	w, err := newDumpWriter(&file, dumpHeader{Created: created, Backend: "redis", Prefix: "p"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.entry(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func readDump(data []byte) (header dumpHeader, records []record, err error) {
	d, err := newDumpReader(bytes.NewReader(data))
	if err != nil {
		return header, nil, err
	}
	for {
		r, err := d.next()
		if err == io.EOF {
			return d.header, records, nil
		}
		if err != nil {
			return d.header, records, err
		}
		records = append(records, r)
	}
}

// Files that were written are read for ever.
func TestDumpFormat(t *testing.T) {
	data := writeDump(t, goldenRecords)
	if *update {
		if err := os.WriteFile(goldenDump, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(goldenDump)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, golden) {
		t.Errorf("the format has changed: raise the version")
	}
	header, records, err := readDump(golden)
	if err != nil || header.Backend != "redis" || header.Prefix != "p" || len(records) != len(goldenRecords) {
		t.Fatalf("got %+v, %d records, %v", header, len(records), err)
	}
	for i, want := range goldenRecords {
		if got := records[i]; got.key != want.key || !bytes.Equal(got.value, want.value) || !got.expires.Equal(want.expires) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestDumpTruncated(t *testing.T) {
	data := writeDump(t, goldenRecords)
	for size := range data {
		if _, _, err := readDump(data[:size]); !errors.Is(err, errTruncated) && (size >= len(dumpMagic) || !errors.Is(err, errNotDump)) {
			t.Fatalf("cut to %d of %d bytes: %v", size, len(data), err)
		}
	}
}

func TestDumpDamaged(t *testing.T) {
	data := writeDump(t, goldenRecords)
	for i := range data {
		for bit := range 8 {
			damaged := bytes.Clone(data)
			damaged[i] ^= 1 << bit
			if _, _, err := readDump(damaged); err == nil {
				t.Fatalf("bit %d of byte %d was not checked", bit, i)
			}
		}
	}
	if _, _, err := readDump(append(data, 0)); err == nil {
		t.Error("data after the end was not noticed")
	}
	// Frames of two dumps: every frame has its checksum, but not the whole.
	other := writeDump(t, goldenRecords[:1])
	mixed := append(bytes.Clone(data[:len(data)-38]), other[len(other)-38:]...)
	if _, _, err := readDump(mixed); err == nil || errors.Is(err, errTruncated) {
		t.Errorf("the end of another dump: %v", err)
	}
}

func FuzzDump(f *testing.F) {
	golden, err := os.ReadFile(goldenDump)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(golden[:40])
	f.Add(binary.AppendUvarint([]byte(dumpMagic+"H"), 1<<63))
	f.Fuzz(func(t *testing.T, data []byte) { readDump(data) }) // no panic, and no memory for absent data
}

func TestDumpAndRestore(t *testing.T) {
	store, env := memoryStore(t)
	want := fill(t, store, 345)
	file := filepath.Join(t.TempDir(), "dump")
	call(env, "dump", "--file", file).want(t, 0, "dumped 345 entries, 15.5KiB\n")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want mode 0600", info.Mode(), err)
	}
	piped := call(env, "dump")
	if piped.status != 0 || !strings.HasPrefix(piped.stderr, "dumped 345 entries") {
		t.Errorf("exit status %d, stderr %q", piped.status, piped.stderr)
	}
	call(env, "restore", "--check", "--file", file).want(t, 0, "complete and undamaged, 345 entries\n")

	for name, restore := range map[string]func(env []string) outcome{
		"file":  func(env []string) outcome { return call(env, "restore", "--verify", "--file", file) },
		"stdin": func(env []string) outcome { return callWith(env, piped.stdout, "restore", "--verify") },
	} {
		other, otherEnv := memoryStore(t)
		restore(otherEnv).want(t, 0, "restored 345 entries, 15.5KiB, 345 verified\n")
		if !maps.Equal(contents(t, other), want) {
			t.Errorf("%s: the entries differ", name)
		}
		if ttl, ok, err := other.TTL(t.Context(), "k1"); !ok || err != nil || ttl > time.Hour || ttl < 59*time.Minute {
			t.Errorf("%s: TTL of k1 is %v, %t, %v", name, ttl, ok, err)
		}
	}
	only, onlyEnv := memoryStore(t)
	callWith(append(onlyEnv, "CACHE_KEY_PREFIX=x:"), call(env, "dump", "k34").stdout, "restore")
	if got := contents(t, only); len(got) != 6 || got["x:k344"] != want["k344"] { // and k34, k340 to k343
		t.Errorf("with a prefix: %v", got)
	}
}

// The prefix is that of the cache, not as it is printed or was given.
func TestDumpWithPrefix(t *testing.T) {
	for _, prefix := range []string{`"app:v2@eu:"`, `42`} {
		file := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(file, []byte(`{"CACHE_KEY_PREFIX": `+prefix+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		env := environ(t)
		call(env, "set", "k", "1", "--config", file)
		dump := call(env, "dump", "--config", file)
		if dump.status != 0 || !strings.Contains(dump.stderr, "1 entry") {
			t.Errorf("%s: %+v", prefix, dump)
		}
		_, other := memoryStore(t)
		callWith(other, dump.stdout, "restore", "--verify").want(t, 0, "restored 1 entry, 1B, 1 verified\n")
	}
}

func TestRestoreExpired(t *testing.T) {
	dump := string(writeDump(t, goldenRecords))
	store, env := memoryStore(t)
	callWith(env, dump, "restore").want(t, 0, "restored 3 entries, 305B, 1 expired\n")
	// Created in 2026, the dump has an entry that had expired by then.
	expires := time.Date(2026, 1, 31, 12, 0, 10, 0, time.UTC)
	dump = string(writeDump(t, []record{{key: "k", value: []byte("v"), expires: expires}}))
	callWith(env, dump, "restore", "--reset-ttl").want(t, 0, "restored 1 entry, 1B\n")
	if ttl, _, err := store.TTL(t.Context(), "k"); err != nil || ttl > 10*time.Second || ttl < time.Second {
		t.Errorf("TTL %v, %v; want the 10 s that remained at the dump", ttl, err)
	}
}

func TestRestoreDamaged(t *testing.T) {
	data := writeDump(t, goldenRecords)
	file := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(file, data[:len(data)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	store, env := memoryStore(t)
	o := call(env, "restore", "--file", file)
	if o.status != statusError || !strings.Contains(o.stderr, "truncated") || len(contents(t, store)) != 0 {
		t.Errorf("a file is checked first: %+v, %v", o, contents(t, store))
	}
	o = callWith(env, string(data[:len(data)-1]), "restore")
	if o.status != statusError || !strings.Contains(o.stderr, "the entries before that were restored") || len(contents(t, store)) != 3 {
		t.Errorf("stdin: %+v, %v", o, contents(t, store))
	}
	if o := callWith(env, "something else", "restore"); o.status != statusError || !strings.Contains(o.stderr, "not a dump") {
		t.Errorf("another file: %+v", o)
	}
}

// A dump that fails leaves the file of the last one.
func TestDumpThatFails(t *testing.T) {
	store, env := memoryStore(t)
	fill(t, store, 300)
	dir := t.TempDir()
	file := filepath.Join(dir, "dump")
	if err := os.WriteFile(file, []byte("last"), 0o600); err != nil {
		t.Fatal(err)
	}
	store.Fail("get_many", "k200", cache.ErrUnavailable)
	if o := call(env, "dump", "--file", file); o.status != statusError || !strings.Contains(o.stdout, "incomplete") {
		t.Errorf("got %+v", o)
	}
	if data, err := os.ReadFile(file); string(data) != "last" {
		t.Errorf("the file is %q, %v", data, err)
	}
	if left, err := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%v remain, %v", left, err)
	}
	o := call(env, "dump")
	if _, _, err := readDump([]byte(o.stdout)); !errors.Is(err, errTruncated) && !errors.Is(err, errNotDump) {
		t.Errorf("the piped dump: %v", err)
	}
}

// The file of the last dump is not replaced by one that lacks an entry.
func TestDumpThatLacksAnEntry(t *testing.T) {
	store, env := memoryStore(t)
	fill(t, store, 300)
	file := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(file, []byte("last"), 0o600); err != nil {
		t.Fatal(err)
	}
	store.Fail("get_many", "k200", cache.ErrCorrupt)
	o := call(env, "dump", "--file", file)
	if o.status != statusError || !strings.Contains(o.stdout, "1 failed; incomplete") || !strings.Contains(o.stderr, "was not written") {
		t.Errorf("got %+v", o)
	}
	if data, err := os.ReadFile(file); string(data) != "last" {
		t.Errorf("the file is %d bytes, %v", len(data), err)
	}
	o = call(env, "dump")
	if _, records, err := readDump([]byte(o.stdout)); o.status != statusError || len(records) != 299 || err != nil {
		t.Errorf("the piped dump: exit status %d, %d entries, %v", o.status, len(records), err)
	}
}
