package main

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

func TestWarm(t *testing.T) {
	store, env := memoryStore(t)
	input := strings.Join([]string{
		"a\tvalue of a\r", "", "\"b\\tb\"\t\"line\\nbreak\"", "empty\t", "tabs\t1\t2",
		`{"key": "json", "value": "v", "ttl_seconds": 60}`,
		`{"key_base64": "/w==", "value_base64": "/w=="}`,
		`{"key": "forever", "value": "v", "expires": false}`,
	}, "\n") // without a line break at the end
	callWith(env, input, "warm", "--timeout", "1h", "--verify").want(t, 0, "stored 7 entries, 26B, 7 verified\n")
	want := map[string]string{
		"a": "value of a", "b\tb": "line\nbreak", "empty": "", "tabs": "1\t2", "json": "v", "\xff": "\xff", "forever": "v",
	}
	if got := contents(t, store); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for key, want := range map[string]time.Duration{"a": time.Hour, "\xff": time.Hour, "json": time.Minute, "forever": 0} {
		if ttl, ok, err := store.TTL(t.Context(), key); !ok || err != nil || ttl > want || ttl < want-10*time.Second {
			t.Errorf("TTL of %q: %v, %t, %v; want %v", key, ttl, ok, err, want)
		}
	}
}

func TestWarmDefaultTimeout(t *testing.T) {
	store, env := memoryStore(t)
	callWith(append(env, "CACHE_DEFAULT_TIMEOUT=77"), "k\tv\n", "warm").want(t, 0, "stored 1 entry, 1B\n")
	if ttl, _, err := store.TTL(t.Context(), "k"); err != nil || ttl > 77*time.Second || ttl < 60*time.Second {
		t.Errorf("TTL %v, %v", ttl, err)
	}
}

func TestWarmFromAnotherStore(t *testing.T) {
	from, to, env := pair(t)
	want := fill(t, from, 250)
	keys := call(append(env, withoutPrefix(env, "FROM_")...), "ls", "--json").stdout + "absent\n"
	env = append(env, withoutPrefix(env, "TO_")...)
	callWith(env, keys, "warm", "--from", "env:FROM_", "--json")
	if !maps.Equal(contents(t, to), want) {
		t.Error("the entries differ")
	}
	if ttl, ok, err := to.TTL(t.Context(), "k1"); !ok || err != nil || ttl > time.Hour || ttl < 59*time.Minute {
		t.Errorf("TTL of k1: %v, %t, %v", ttl, ok, err)
	}
	callWith(env, "absent\nk2\n", "warm", "--from", "env:FROM_").want(t, 0, "stored 1 entry, 2B, 1 absent\n")
}

// A key that the other store cannot hold fails alone, although no key of its batch is read.
func TestWarmFromWithInvalidKey(t *testing.T) {
	from, to, env := pair(t)
	want := fill(t, from, 3)
	from.OnCall(func(_ context.Context, op, first string) error {
		if op == "get_many" && first == "bad" {
			return &cache.BatchError{Failed: []cache.KeyError{{Key: "bad", Err: cache.ErrInvalidKey}}}
		}
		return nil
	})
	env = append(env, withoutPrefix(env, "TO_")...)
	o := callWith(env, "bad\nk0\nk1\nk2\nabsent\n", "warm", "--from", "env:FROM_")
	if o.status != statusError || o.stdout != "stored 3 entries, 3B, 1 absent, 1 failed\n" || !strings.Contains(o.stderr, "bad: ") {
		t.Errorf("got %+v", o)
	}
	if !maps.Equal(contents(t, to), want) {
		t.Error("the entries differ")
	}
}

func TestWarmInvalidLines(t *testing.T) {
	store, env := memoryStore(t)
	const secret = "hunter2"
	o := callWith(env, "key only\n{"+secret+"\n{\"value\": \""+secret+"\"}\n\"open\t"+secret+"\n{\"key\":\"k\",\"value\":\"\",\"ttl_seconds\":-1}\n\tno key\nok\t1\n", "warm")
	if o.status != statusError || !strings.HasPrefix(o.stdout, "stored 1 entry, 1B, 6 failed") || strings.Contains(o.stderr, secret) {
		t.Errorf("got %+v", o)
	}
	for _, want := range []string{"line 1: no value", "line 2: malformed JSON", `line 3: no "key"`, "line 4: ", "line 5: "} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("stderr %q, want %q", o.stderr, want)
		}
	}
	if got := contents(t, store); len(got) != 1 || got["ok"] != "1" {
		t.Errorf("got %v", got)
	}
}
