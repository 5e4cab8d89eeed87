package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/charmbracelet/x/ansi"
)

// redisReadings are two readings of a Redis server, two seconds apart.
func redisReadings() (from, to reading) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	unknown := driver.UnknownStats
	from = reading{at: at, latency: 123456, stats: unknown, servers: map[string]serverInfo{"10.0.0.1:6379": {
		"keyspace_hits": "100", "keyspace_misses": "10", "total_commands_processed": "1000", "evicted_keys": "0",
		"cmdstat_get": "calls=100,usec=200,usec_per_call=2.00", "cmdstat_keys": "calls=1,usec=9000,usec_per_call=9000.00",
	}}}
	to = reading{at: at.Add(2 * time.Second), latency: 123456, stats: unknown, servers: map[string]serverInfo{"10.0.0.1:6379": {
		"keyspace_hits": "160", "keyspace_misses": "30", "total_commands_processed": "1090", "evicted_keys": "5",
		"used_memory": "1572864", "maxmemory": "67108864", "connected_clients": "7", "db0": "keys=12,expires=3,avg_ttl=5", "db1": "keys=1,expires=0",
		"cmdstat_get": "calls=180,usec=360,usec_per_call=2.00", "cmdstat_set": "calls=10,usec=55,usec_per_call=5.50",
		"cmdstat_keys": "calls=1,usec=9000,usec_per_call=9000.00",
	}}}
	return from, to
}

func sampleOf(t *testing.T) sample {
	t.Helper()
	store := cachetest.NewStore()
	for key, size := range map[string]int{"user:1": 2000, "user:2": 10, "page:\x1b[2J": 300, "top": 1} {
		if err := store.Set(t.Context(), key, make([]byte, size), time.Duration(size%2)*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	s := newEntryStore(cache.New(store), cache.FromMap(nil), "")
	found := s.sample(t.Context(), "", ":", 100)
	for i, entry := range found.largest {
		if entry.TTL > 0 {
			found.largest[i].TTL = time.Hour // less what the test took
		}
	}
	return found
}

const goldenTop = "testdata/top.txt"

func TestTopView(t *testing.T) {
	from, to := redisReadings()
	found := sampleOf(t)
	state := topState{backend: "redis", prefix: "", interval: 2 * time.Second, now: to, activity: activities(from, to), sample: &found}
	lines := strings.Split(ansi.Strip(state.view(120, 26)), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	got := strings.Join(lines, "\n")
	if *update {
		if err := os.WriteFile(goldenTop, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenTop)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// The screen never exceeds the terminal, whatever its size and whatever it shows.
func TestTopViewFits(t *testing.T) {
	from, to := redisReadings()
	found := sampleOf(t)
	failed := reading{at: to.at, err: errors.New("a message that is longer than the terminal is wide, with \x1b[2J in it")}
	for _, state := range []topState{
		{backend: "redis", interval: time.Second},
		{backend: "redis", interval: time.Second, now: to, activity: activities(from, to), sample: &found},
		{backend: "redis", interval: time.Second, now: failed, paused: true, prefix: "\x1b[2J"},
	} {
		for _, size := range [][2]int{{120, 40}, {80, 24}, {20, 5}, {1, 1}} {
			lines := strings.Split(state.view(size[0], size[1]), "\n")
			if len(lines) > max(size[1], 2) {
				t.Errorf("%d lines for %v", len(lines), size)
			}
			for _, line := range lines {
				if ansi.StringWidth(line) > size[0] || strings.Contains(line, "\x1b[2J") {
					t.Errorf("line %q for %v", line, size)
				}
			}
		}
	}
}

func TestActivities(t *testing.T) {
	from, to := redisReadings()
	a := activities(from, to)[0]
	if a.hits != 30 || a.misses != 10 || a.ratio() != 0.75 || a.operations != 45 || a.evictions != 2.5 || a.entries != 13 || a.clients != 7 {
		t.Errorf("got %+v", a)
	}
	if len(a.commands) != 2 || a.commands[0] != (commandActivity{"set", 5, 5500}) || a.commands[1] != (commandActivity{"get", 40, 2000}) {
		t.Errorf("commands %+v; want set and get, and not keys, which was not called", a.commands)
	}
	// The server was restarted.
	a = activities(to, reading{at: to.at.Add(time.Second), servers: map[string]serverInfo{"10.0.0.1:6379": {"keyspace_hits": "5"}}})[0]
	if a.hits != 5 {
		t.Errorf("after a restart: %v hits per second, want 5", a.hits)
	}
	// memcached
	a = activities(
		reading{at: to.at, servers: map[string]serverInfo{"m": {"get_hits": "1", "get_misses": "1", "cmd_get": "2", "cmd_set": "10", "evictions": "0"}}},
		reading{at: to.at.Add(time.Second), servers: map[string]serverInfo{"m": {"get_hits": "4", "get_misses": "2", "cmd_get": "6", "cmd_set": "12", "evictions": "1",
			"curr_items": "9", "bytes": "100", "limit_maxbytes": "1000", "curr_connections": "3"}}})[0]
	if a.hits != 3 || a.misses != 1 || a.operations != 6 || a.evictions != 1 || a.entries != 9 || a.bytes != 100 || a.maxBytes != 1000 || a.clients != 3 {
		t.Errorf("memcached: %+v", a)
	}
	// Other stores
	a = activities(reading{at: to.at}, reading{at: to.at.Add(time.Second), stats: driver.Stats{Entries: 3, Bytes: 7, Evictions: 2, MaxBytes: -1}})[0]
	if a.entries != 3 || a.bytes != 7 || a.evictions != 2 || decimal(a.hits) != "?" || size(a.maxBytes) != "?" {
		t.Errorf("statistics: %+v", a)
	}
}

func TestTopOnce(t *testing.T) {
	store, env := memoryStore(t)
	fill(t, store, 7)
	o := call(env, "top", "--once", "--interval", "100ms")
	if o.status != 0 || o.stderr != "" || len(lines(o.stdout)) != 1 || !strings.Contains(o.stdout, " entries=7 ") || strings.Contains(o.stdout, "hits") {
		t.Errorf("got %+v", o)
	}
	fields := decode(t, call(env, "top", "--once", "--interval", "100ms", "--json").stdout)
	if fields["entries"] != 7.0 || fields["ping_seconds"] == nil || fields["time"] == nil {
		t.Errorf("--json: %v", fields)
	}
	if o := call([]string{"CACHE_TYPE=broken"}, "top", "--interval", "100ms"); o.status != statusError {
		t.Errorf("a store that fails: %+v", o)
	}
}

// model returns the screen over a store, and what happens in it.
func newTopModel(t *testing.T) (topModel, *cachetest.Store) {
	t.Helper()
	store := cachetest.NewStore()
	fill(t, store, 7)
	s := newEntryStore(cache.New(store), cache.FromMap(nil), "")
	flags := topFlags{interval: time.Millisecond, sample: 100, separator: ":"}
	return topModel{ctx: t.Context(), store: s, flags: flags, state: topState{backend: "cachetest", interval: flags.interval}, width: 120, height: 30}, store
}

// step applies the message that cmd returns.
func step(t *testing.T, m topModel, cmd tea.Cmd) (topModel, tea.Cmd) {
	t.Helper()
	next, cmd := m.Update(cmd())
	return next.(topModel), cmd
}

func TestTopScreen(t *testing.T) {
	m, store := newTopModel(t)
	cmd := m.Init()
	for range 5 { // read, scan, interval, read, interval
		m, cmd = step(t, m, cmd)
	}
	view := ansi.Strip(m.View().Content)
	for _, want := range []string{"cachetest, all keys, every 1ms", "of 7 entries", "LARGEST ENTRY", "k6"} {
		if !strings.Contains(view, want) {
			t.Errorf("no %q in\n%s", want, view)
		}
	}
	if len(m.state.activity) != 1 || m.state.activity[0].entries != 7 {
		t.Errorf("activity %+v", m.state.activity)
	}

	store.Fail("ping", "", cache.ErrUnavailable)
	for m.state.now.err == nil {
		m, cmd = step(t, m, cmd)
	}
	if view := ansi.Strip(m.View().Content); !strings.Contains(view, "unavailable") {
		t.Errorf("no error in\n%s", view)
	}
	store.Heal()
	for m.state.now.err != nil {
		m, cmd = step(t, m, cmd)
	}

	m, _ = step(t, m, press("p"))
	if view := ansi.Strip(m.View().Content); !m.state.paused || !strings.Contains(view, "paused") {
		t.Errorf("not paused:\n%s", view)
	}
	store.Calls() // those until now
	for range 3 {
		m, cmd = step(t, m, cmd)
	}
	if calls := store.Calls(); len(calls) > 0 {
		t.Errorf("%v while paused", calls)
	}
	if _, quit := step(t, m, press("q")); quit == nil || quit() != tea.Quit() {
		t.Error("q does not quit")
	}
}

func press(key string) tea.Cmd {
	return func() tea.Msg { return tea.KeyPressMsg{Text: key, Code: rune(key[0])} }
}

// A scan that takes too long ends, and shows what it has found.
func TestTopSampleIsBounded(t *testing.T) {
	m, store := newTopModel(t)
	found := m.store.sample(t.Context(), "", ":", 3)
	if found.complete || found.usage.total.entries != 3 || found.err != nil {
		t.Errorf("got %+v", found)
	}
	store.Slow("scan", "k3", time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if found = m.store.sample(ctx, "", ":", 100); found.complete || found.err != nil {
		t.Errorf("got %+v", found)
	}
}
