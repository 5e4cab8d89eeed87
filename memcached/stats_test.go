package memcached

import (
	"context"
	"errors"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// evict counts n further evictions.
func (f *fake) evict(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.evictions += n
}

func (b *Backend) wantStats(t *testing.T, want driver.Stats) {
	t.Helper()
	if got, err := b.Stats(t.Context()); got != want || err != nil {
		t.Errorf("Stats = %+v, %v; want %+v", got, err, want)
	}
}

func TestStats(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		first, second := startFake(t, nil), startFake(t, nil)
		first.store("of another program", entry{value: "12"})
		second.store("k", entry{value: "1"})
		first.evict(100)
		o.Servers = []string{first.addr, second.addr, second.addr}
		b := start(t, o)
		want := driver.Stats{Entries: 2, Bytes: 22, MaxBytes: 128 << 20, Expirations: -1}
		b.wantStats(t, want)
		first.evict(5)
		second.evict(2)
		want.Evictions = 7
		b.wantStats(t, want)
		b.wantStats(t, want)
		first.evict(-101) // a restart, and 4 since
		want.Evictions = 11
		b.wantStats(t, want)
	})
}

func TestStatsOfServerThatFails(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		for reply, want := range map[string]error{hangUp: cache.ErrUnavailable, "ERROR\r\n": cache.ErrUnavailable, partial + "STAT time": cache.ErrUnavailable, partial: cache.ErrUnavailable} {
			up, down := startFake(t, nil), startFake(t, on(reply, "stats", "0x10"))
			o.Servers = []string{up.addr, down.addr}
			if got, err := start(t, o).Stats(t.Context()); got != driver.UnknownStats || !errors.Is(err, want) {
				t.Errorf("%q: Stats = %+v, %v; want %v", reply, got, err, want)
			}
		}
		f := startFake(t, on(silent, "stats", "0x10"))
		o.Servers = []string{f.addr}
		b := start(t, o)
		if _, err := b.Stats(soon(t, 30*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stats of a server that does not reply: %v", err)
		}
		b.evictions.turn <- struct{}{}
		if _, err := b.Stats(soon(t, time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stats behind another call: %v", err)
		}
	})
}

// A proxy has statistics of its own.
func TestUnknownStats(t *testing.T) {
	f, b := startText(t, on("STAT version proxy\r\nSTAT curr_items 5\r\nEND\r\n", "stats"))
	want := driver.UnknownStats
	want.Entries = 5
	b.wantStats(t, want)
	f.answers(on(frame(codeStats, statusOK, 0, 0, "", "bytes", "7")+frame(codeStats, statusOK, 0, 0, "", "", ""), "0x10"))
	want = driver.UnknownStats
	want.Bytes = 7
	start(t, Options{Servers: []string{f.addr}, Protocol: Binary}).wantStats(t, want)
}

func TestMalformedStats(t *testing.T) {
	for _, reply := range []string{"STAT bytes many\r\nEND\r\n", "STAT bytes\r\nEND\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n", "\r\n"} {
		_, b := startText(t, on(partial+reply, "stats"))
		if got, err := b.Stats(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Stats accepts %q: %+v, %v", reply, got, err)
		}
	}
	for _, reply := range []string{
		frame(codeStats, statusOK, 0, 0, "", "bytes", "many"), frame(codeGet, statusOK, 0, 0, "", "bytes", "1"), frame(codeStats, statusUnknown, 0, 0, "", "", ""),
		frame(codeStats, statusOK, 0, 0, "", "bytes", string(make([]byte, 20<<10))),
	} {
		f := startFake(t, on(partial+reply, "0x10"))
		b := start(t, Options{Servers: []string{f.addr}, Protocol: Binary})
		if got, err := b.Stats(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("Stats accepts %q: %+v, %v", reply, got, err)
		}
	}
}

func TestStatsUnsupported(t *testing.T) {
	b := borrow(t, startFake(t, nil), Options{})
	if _, err := b.Stats(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Stats of a gomemcache client: %v", err)
	}
	b.Close()
	if _, err := b.Stats(t.Context()); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("Stats after Close: %v", err)
	}
}

func TestServerInfo(t *testing.T) {
	bothProtocols(t, func(t *testing.T, o Options) {
		first, second := startFake(t, nil), startFake(t, nil)
		second.store("k", entry{value: "1"})
		o.Servers = []string{first.addr, second.addr}
		b := start(t, o)
		got, err := b.ServerInfo(t.Context())
		if err != nil || len(got) != 2 || got[first.addr]["curr_items"] != "0" || got[second.addr]["curr_items"] != "1" {
			t.Errorf("ServerInfo = %v, %v", got, err)
		}
		b.Close()
		if _, err := b.ServerInfo(t.Context()); !errors.Is(err, cache.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
