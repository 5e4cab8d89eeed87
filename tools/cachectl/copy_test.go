package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

// pair returns two stores and an environment with the variables FROM_CACHE_* and TO_CACHE_*.
func pair(t *testing.T) (from, to *cachetest.Store, env []string) {
	t.Helper()
	from, fromEnv := memoryStore(t)
	to, toEnv := memoryStore(t)
	for _, entry := range fromEnv {
		env = append(env, "FROM_"+entry)
	}
	for _, entry := range toEnv {
		env = append(env, "TO_"+entry)
	}
	return from, to, env
}

func copyArgs(flags ...string) []string {
	return append([]string{"copy", "env:FROM_", "env:TO_"}, flags...)
}

func TestCopy(t *testing.T) {
	from, to, env := pair(t)
	want := fill(t, from, 1234)
	o := call(env, copyArgs("--verify")...)
	if o.status != 0 || o.stderr != "" || !strings.HasPrefix(o.stdout, "copied 1234 entries, ") || !strings.HasSuffix(o.stdout, ", 1234 verified\n") {
		t.Errorf("got %+v", o)
	}
	if !maps.Equal(contents(t, to), want) {
		t.Error("the copy differs")
	}
	for key, want := range map[string]time.Duration{"k0": 0, "k1": time.Hour, "k2": 2 * time.Hour} {
		if ttl, ok, err := to.TTL(t.Context(), key); !ok || err != nil || ttl > want || ttl < want-time.Minute {
			t.Errorf("TTL of %s: %v, %t, %v; want %v", key, ttl, ok, err, want)
		}
	}
}

func TestCopyPrefixes(t *testing.T) {
	from, to, env := pair(t)
	for _, key := range []string{"old:a:1", "old:b:1", "other"} {
		if err := from.Set(t.Context(), key, []byte(key), 0); err != nil {
			t.Fatal(err)
		}
	}
	env = append(env, "FROM_CACHE_KEY_PREFIX=old:", "TO_CACHE_KEY_PREFIX=new:")
	if o := call(env, copyArgs("--prefix", "a:")...); o.status != 0 {
		t.Errorf("got %+v", o)
	}
	if got := contents(t, to); len(got) != 1 || got["new:a:1"] != "old:a:1" {
		t.Errorf("got %v", got)
	}
}

func TestCopyKeepsExisting(t *testing.T) {
	from, to, env := pair(t)
	fill(t, from, 3)
	if err := to.Set(t.Context(), "k1", []byte("newer"), 0); err != nil {
		t.Fatal(err)
	}
	call(env, copyArgs("--keep-existing", "--verify")...).want(t, 0, "copied 2 entries, 2B, 1 already present, 2 verified\n")
	if got := contents(t, to)["k1"]; got != "newer" {
		t.Errorf("k1 is %q", got)
	}
	call(env, copyArgs()...).want(t, 0, "copied 3 entries, 3B\n")
	if got := contents(t, to)["k1"]; got != "v" {
		t.Errorf("k1 is %q", got)
	}
}

// An entry that cannot be copied is named, and the others are copied.
func TestCopyOfEntriesThatFail(t *testing.T) {
	from, to, env := pair(t)
	fill(t, from, 150)
	from.Fail("get_many", "k7", cache.ErrCorrupt)
	to.Fail("set", "k8", cache.ErrTooLarge)
	o := call(env, copyArgs("--json")...)
	got := decode(t, o.stdout)
	if o.status != statusError || got["copied"] != 148.0 || got["failed"] != 2.0 {
		t.Errorf("got %+v", o)
	}
	for _, want := range []string{"k7: ", "k8: ", "2 entries failed"} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("stderr %q, want %q", o.stderr, want)
		}
	}
}

// An entry that cannot be read back has failed once.
func TestCopyOfEntriesThatCannotBeReadBack(t *testing.T) {
	from, to, env := pair(t)
	fill(t, from, 150)
	to.Fail("get_many", "k7", cache.ErrCorrupt)
	o := call(env, copyArgs("--verify", "--json")...)
	got := decode(t, o.stdout)
	if o.status != statusError || got["verified"] != 149.0 || got["failed"] != 1.0 || strings.Count(o.stderr, "k7: ") != 1 {
		t.Errorf("got %+v", o)
	}
}

func TestCopyFindsDifferences(t *testing.T) {
	now := time.Now()
	want := record{value: []byte("v"), expires: now.Add(time.Hour)}
	for _, test := range []struct {
		name string
		got  record
		ok   bool
		same bool
	}{
		{"the same", want, true, true},
		{"rounded TTL", record{value: want.value, expires: want.expires.Add(4 * time.Second)}, true, true},
		{"unknown TTL", record{value: want.value, unknown: true}, true, true},
		{"absent", record{}, false, false},
		{"another value", record{value: []byte("w"), expires: want.expires}, true, false},
		{"never expires", record{value: want.value}, true, false},
		{"another TTL", record{value: want.value, expires: now}, true, false},
	} {
		if err := compare(want, test.got, test.ok); (err == nil) != test.same {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if err := compare(record{expires: now}, record{}, false); err != nil {
		t.Errorf("expired meanwhile: %v", err)
	}
}

// A copy that the store interrupts continues where it was: no entry is copied twice.
func TestCopyResumes(t *testing.T) {
	from, to, env := pair(t)
	want := fill(t, from, 950)
	state := filepath.Join(t.TempDir(), "state")
	var sets atomic.Int64
	to.OnCall(func(_ context.Context, op, _ string) error {
		if op == "set" && sets.Add(1) > 450 {
			return cache.ErrUnavailable
		}
		return nil
	})
	o := call(env, copyArgs("--state", state)...)
	if o.status != statusError || !strings.Contains(o.stderr, "run the same command again") || !strings.Contains(o.stdout, "incomplete") {
		t.Fatalf("got %+v", o)
	}
	before := len(contents(t, to))
	// The process was killed in the middle of a record.
	f, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte{1, 2, 3})
	f.Close()

	if o := call(env, copyArgs("--state", state, "--prefix", "k")...); o.status != statusUsage || !strings.Contains(o.stderr, "another copy") {
		t.Errorf("with another prefix: %+v", o)
	}
	to.OnCall(nil)
	got := decode(t, call(env, copyArgs("--state", state, "--json")...).stdout)
	if before != 450 || got["copied_before"] != 400.0 || got["copied"] != 550.0 { // whole batches
		t.Errorf("%d were copied before the outage; then %v", before, got)
	}
	if !maps.Equal(contents(t, to), want) {
		t.Error("the copy differs")
	}
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state remains: %v", err)
	}
}

func TestCopyRefusesForeignState(t *testing.T) {
	_, _, env := pair(t)
	state := filepath.Join(t.TempDir(), "state")
	const text = "a file of the user that is longer than the header of a state"
	if err := os.WriteFile(state, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := call(env, copyArgs("--state", state)...); o.status != statusUsage || !strings.Contains(o.stderr, "not a state file") {
		t.Errorf("got %+v", o)
	}
	if data, err := os.ReadFile(state); string(data) != text {
		t.Errorf("the file is %q, %v", data, err)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flags := transferFlags{rate: 100}
		largest, stored := 0, 0
		batch := batcher{limit: flags.limiter(), put: func(records []record) error {
			largest, stored = max(largest, len(records)), stored+len(records)
			return nil
		}}
		start := time.Now()
		for range 1020 {
			if err := batch.add(t.Context(), record{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 10*time.Second || stored != 1020 || largest != 20 {
			t.Errorf("stored %d in batches of up to %d in %v", stored, largest, took)
		}
	})
	for rate, want := range map[float64]int{0: maxBatch, 0.5: 1, 100: 20, 1e9: maxBatch} {
		if got := (&transferFlags{rate: rate}).batch(); got != want {
			t.Errorf("rate %v: batches of %d, want %d", rate, got, want)
		}
	}
}

func TestCopyFromFiles(t *testing.T) {
	from, fromEnv := memoryStore(t)
	fill(t, from, 5)
	dir := t.TempDir()
	fromFile, toFile := filepath.Join(dir, "from.json"), filepath.Join(dir, "to.json")
	name, _ := strings.CutPrefix(fromEnv[1], "CACHE_SHELF_NAME=")
	write := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(fromFile, fmt.Sprintf(`{"CACHE_TYPE": "shelf", "CACHE_SHELF_NAME": %q}`, name))
	write(toFile, fmt.Sprintf(`{"CACHE_TYPE": "filesystem", "CACHE_DIR": %q}`, dir+"/entries"))
	call(nil, "copy", fromFile, toFile).want(t, 0, "copied 5 entries, 10B\n")
	call(nil, "--config", toFile, "get", "k4").want(t, 0, "vvvv")
	call(nil, "copy", fromFile, "env", "--config", toFile).want(t, 0, "copied 5 entries, 10B\n")
}

// Ctrl-C ends a copy with its counts, and the same command continues.
func TestCopyInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signal can be sent to a process")
	}
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	env := append(environ(t), "FROM_CACHE_TYPE=filesystem", "FROM_CACHE_DIR="+dir+"/from", "TO_CACHE_TYPE=filesystem", "TO_CACHE_DIR="+dir+"/to")
	fromEnv := withoutPrefix(env, "FROM_")
	var input strings.Builder
	for i := range 40 {
		fmt.Fprintf(&input, "k%d\tv\n", i)
	}
	if o := callWith(fromEnv, input.String(), "warm"); o.status != 0 {
		t.Fatalf("got %+v", o)
	}
	var stdout, stderr bytes.Buffer
	cmd := process(t, env, copyArgs("--rate", "5", "--state", state)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	header := int64(len(copyStateMagic) + len(keyHash{}))
	await(t, "the first copied entry", func() bool {
		info, err := os.Stat(state)
		return err == nil && info.Size() > header
	})
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != statusInterrupted || !strings.Contains(stdout.String(), "incomplete") || !strings.Contains(stderr.String(), "interrupted: ") {
		t.Errorf("exit status %d, stdout %q, stderr %q", got, stdout.String(), stderr.String())
	}
	if o := call(env, copyArgs("--state", state)...); o.status != 0 || !strings.Contains(o.stdout, "copied before") {
		t.Errorf("got %+v", o)
	}
}

func TestCopyUsage(t *testing.T) {
	_, _, env := pair(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"copy", "env:FROM_"}, "2 arg"},
		{[]string{"copy", "env:NOTHING_", "env:TO_"}, "env:NOTHING_: CACHE_TYPE is not set"},
		{[]string{"copy", "no/such/file.json", "env:TO_"}, "no such file"},
		{[]string{"copy", "env:TO_", "env:TO_"}, "the same store"},
		{copyArgs("--rate", "-1"), "--rate"},
		{copyArgs("--rate", "NaN"), "--rate"},
		{copyArgs("--state", "no/such/directory/state"), "--state"},
	} {
		if o := call(env, test.args...); o.status != statusUsage || !strings.Contains(o.stderr, test.want) {
			t.Errorf("%v: %+v, want %q", test.args, o, test.want)
		}
	}
}
