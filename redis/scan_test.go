package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// page is the reply to SCAN with the cursor of the next page.
func page(next string, keys ...string) string {
	var reply strings.Builder
	fmt.Fprintf(&reply, "*2\r\n$%d\r\n%s\r\n*%d\r\n", len(next), next, len(keys))
	for _, key := range keys {
		fmt.Fprintf(&reply, "$%d\r\n%s\r\n", len(key), key)
	}
	return reply.String()
}

// listed collects a list.
func listed(ctx context.Context, b *Backend) (entries []driver.Entry, err error) {
	for entry, failed := range b.Scan(ctx, "") {
		if err = failed; err == nil {
			entries = append(entries, entry)
		}
	}
	return entries, err
}

// The server repeats keys while its table shrinks, on any page.
func TestScanListsNoKeyTwice(t *testing.T) {
	f := startFake(t, func(n int, args []string) string {
		switch args[0] {
		case "scan":
			return []string{page("7", "a", "b", "a"), page("3"), page("0", "b", "c", leaseName("a"))}[n-1]
		case "pttl":
			if args[1] == "c" {
				return ":59999\r\n"
			}
		case "strlen":
			if args[1] == "b" {
				return "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
			}
			return ":12\r\n"
		}
		return ""
	})
	entries, err := listed(t.Context(), start(t, Options{Addr: f.addr}))
	want := []driver.Entry{{Key: "a", Size: 12}, {Key: "c", TTL: time.Minute, Size: 12}}
	if err != nil || !slices.Equal(entries, want) {
		t.Errorf("%v, %v; want %v", entries, err, want)
	}
}

// Other clients may change a key between the commands about it.
func TestScanOfEntryThatChanges(t *testing.T) {
	const otherType = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
	for name, tt := range map[string]struct {
		before, size, after string // replies
		want                []driver.Entry
	}{
		"unchanged":                   {":-1\r\n", ":5\r\n", ":-1\r\n", []driver.Entry{{Key: "a", Size: 5}}},
		"unchanged, with a TTL":       {":60000\r\n", ":5\r\n", ":59999\r\n", []driver.Entry{{Key: "a", TTL: time.Minute, Size: 5}}},
		"empty":                       {":-1\r\n", ":0\r\n", ":-1\r\n", []driver.Entry{{Key: "a", Size: 0}}},
		"expired before its size":     {":1\r\n", ":0\r\n", ":-2\r\n", nil},
		"deleted after its size":      {":-1\r\n", ":5\r\n", ":-2\r\n", nil},
		"expired and set again":       {":1\r\n", ":0\r\n", ":59999\r\n", []driver.Entry{{Key: "a", TTL: time.Minute, Size: -1}}},
		"set meanwhile":               {":-2\r\n", ":0\r\n", ":-1\r\n", []driver.Entry{{Key: "a", Size: -1}}},
		"replaced, without a TTL":     {":60000\r\n", ":5\r\n", ":-1\r\n", []driver.Entry{{Key: "a", Size: -1}}},
		"replaced, with a longer TTL": {":50000\r\n", ":5\r\n", ":59999\r\n", []driver.Entry{{Key: "a", TTL: time.Minute, Size: -1}}},
		"replaced, with a shorter one": { // than an hour later, which this test does not take
			":3659999\r\n", ":5\r\n", ":59999\r\n", []driver.Entry{{Key: "a", TTL: time.Minute, Size: -1}}},
		"of another type":            {":-1\r\n", otherType, ":-1\r\n", nil},
		"of another type since then": {":-2\r\n", otherType, ":59999\r\n", nil},
	} {
		f := startFake(t, func(n int, args []string) string {
			switch args[0] {
			case "scan":
				return page("0", "a")
			case "pttl":
				return []string{tt.before, tt.after}[n-1]
			case "strlen":
				return tt.size
			}
			return ""
		})
		entries, err := listed(t.Context(), start(t, Options{Addr: f.addr}))
		if err != nil || !slices.Equal(entries, tt.want) {
			t.Errorf("%s: %v, %v; want %v", name, entries, err, tt.want)
		}
		if sent := f.sent(); !strings.Contains(sent, ", pttl, strlen, pttl, ") || strings.Contains(sent, "get") {
			t.Errorf("%s: sent %q; want PTTL, STRLEN, PTTL and no value", name, sent)
		}
	}
}

// TYPE says whether the key is an entry if the size is not asked for.
func TestScanWithoutSizes(t *testing.T) {
	for name, tt := range map[string]struct {
		kind, left string // replies
		want       []driver.Entry
	}{
		"entry":           {"+string\r\n", ":59999\r\n", []driver.Entry{{Key: "a", TTL: time.Minute, Size: -1}}},
		"of another type": {"+list\r\n", ":59999\r\n", nil},
		"absent":          {"+none\r\n", ":-2\r\n", nil},
		"set meanwhile":   {"+none\r\n", ":-1\r\n", nil},
		"expired":         {"+string\r\n", ":-2\r\n", nil},
	} {
		f := startFake(t, func(_ int, args []string) string {
			return map[string]string{"scan": page("0", "a"), "type": tt.kind, "pttl": tt.left}[args[0]]
		})
		entries, err := listed(t.Context(), start(t, Options{Addr: f.addr, Flask: true}))
		if err != nil || !slices.Equal(entries, tt.want) {
			t.Errorf("%s: %v, %v; want %v", name, entries, err, tt.want)
		}
		if sent := f.sent(); !strings.Contains(sent, ", type, pttl") {
			t.Errorf("%s: sent %q; want TYPE and then PTTL", name, sent)
		}
	}
}

// STRLEN counts as a use of the entry if the server does not know CLIENT NO-TOUCH.
func TestScanDoesNotChangeTheOrderOfEviction(t *testing.T) {
	const refused = "-ERR unknown subcommand 'no-touch'\r\n"
	memory := func(policy, limit string) string {
		text := "# Memory\r\nmaxmemory:" + limit + "\r\nmaxmemory_policy:" + policy + "\r\n"
		return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
	}
	for name, tt := range map[string]struct {
		noTouch, info string
		size          int64
	}{
		"from 7.2":             {"", "", 5},
		"without a bound":      {refused, memory("allkeys-lru", "0"), 5},
		"by TTL":               {refused, memory("volatile-ttl", "1000"), 5},
		"by last use":          {refused, memory("allkeys-lru", "1000"), -1},
		"by frequency":         {refused, memory("volatile-lfu", "1000"), -1},
		"INFO says nothing":    {refused, "$2\r\n\r\n\r\n", -1},
		"no permission at all": {refused, "-NOPERM this user has no permissions to run the 'info' command\r\n", -1},
	} {
		f := startFake(t, func(_ int, args []string) string {
			switch args[0] {
			case "client":
				return tt.noTouch
			case "info":
				return tt.info
			case "scan":
				return page("0", "k")
			case "strlen":
				return ":5\r\n"
			}
			return ""
		})
		entries, err := listed(t.Context(), start(t, Options{Addr: f.addr}))
		if err != nil || !slices.Equal(entries, []driver.Entry{{Key: "k", Size: tt.size}}) {
			t.Errorf("%s: %v, %v; want a size of %d", name, entries, err, tt.size)
		}
		if sent := f.count("strlen") > 0; sent != (tt.size >= 0) {
			t.Errorf("%s: STRLEN was sent: %v", name, sent)
		}
	}
}

// A cursor means nothing to another process of the server.
func TestScanDoesNotReconnect(t *testing.T) {
	f := startFake(t, func(n int, args []string) string {
		if args[0] == "scan" && n == 2 {
			return hangUp
		}
		return scanReply(args, page("7", "k"))
	})
	b := start(t, Options{Addr: f.addr})
	if entries, err := listed(t.Context(), b); !errors.Is(err, cache.ErrUnavailable) || len(entries) != 1 {
		t.Errorf("%v, %v; want one entry and an error", entries, err)
	}
	if n := f.count("scan"); n != 2 {
		t.Errorf("SCAN was sent %d times; want 2", n)
	}
}

// The loop's body may need every connection of the pool.
func TestScanUsesNoConnectionOfThePool(t *testing.T) {
	f := startFake(t, func(n int, args []string) string { return scanReply(args, page("0", "k")) })
	b := start(t, Options{Addr: f.addr, PoolSize: 1, ReadTimeout: ample})
	for range b.Scan(t.Context(), "") {
		if err := b.Set(soon(t, ample/2), "other", nil, 0); err != nil {
			t.Error(err)
		}
		break
	}
	waitFor(t, "the end of its connection", func() bool { return f.open() == 1 })
}

func TestScanEndsWithTheBackend(t *testing.T) {
	f := startFake(t, func(n int, args []string) string {
		if args[0] == "scan" && n == 2 {
			return silence
		}
		return scanReply(args, page("7", "k"))
	})
	b := start(t, Options{Addr: f.addr, ReadTimeout: ample})
	go func() {
		waitFor(t, "the second page", func() bool { return f.count("scan") == 2 })
		b.Close()
	}()
	if _, err := listed(t.Context(), b); !errors.Is(err, cache.ErrClosed) {
		t.Errorf("%v; want ErrClosed", err)
	}
	if _, err := listed(t.Context(), b); err != cache.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

func scanReply(args []string, scan string) string {
	switch args[0] {
	case "scan":
		return scan
	case "strlen":
		return ":5\r\n"
	}
	return ""
}

func TestOwnSlots(t *testing.T) {
	const (
		other = "b 10.0.0.2:6379@16379 master - 0 1 5 connected 8192-16383 [3->-a]\n"
		line  = "a 10.0.0.1:6379@16379 myself,master - 0 0 4 connected"
	)
	for text, want := range map[string]string{
		other + line + " 0-8191\n":           "a 4 0-8191",
		line + " 0-99 101 200-300\n" + other: "a 4 0-99 101 200-300",
		line + "\n":                          "a 4",
	} {
		if got, err := ownSlots(text); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]error{
		line + " 0-8191 [7->-b]\n": errResharding,
		line + " 0-8191 [9-<-b]\n": errResharding,
		other:                      errMalformed,
		"":                         errMalformed,
	} {
		if got, err := ownSlots(text); err != want {
			t.Errorf("%q: %q, %v; want %v", text, got, err, want)
		}
	}
}
