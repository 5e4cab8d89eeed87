package redis

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// A delete ends the lease before it removes the entry, and a write of a short entry after
// it stored the entry: meanwhile no caller can get another lease. A write of a long entry
// costs no further command.
func TestEndOfLeaseInOneRoundTrip(t *testing.T) {
	item := []driver.Item{{Key: "k"}}
	for name, tt := range map[string]struct {
		call func(ctx context.Context, b *Backend) error
		want string
	}{
		"Get":            {func(ctx context.Context, b *Backend) error { _, _, err := b.Get(ctx, "k"); return err }, "get"},
		"Has":            {func(ctx context.Context, b *Backend) error { _, err := b.Has(ctx, "k"); return err }, "type"},
		"TTL":            {func(ctx context.Context, b *Backend) error { _, _, err := b.TTL(ctx, "k"); return err }, "type, pttl"},
		"Set":            {func(ctx context.Context, b *Backend) error { return b.Set(ctx, "k", nil, driver.MaxHold+1) }, "set"},
		"Set, short":     {func(ctx context.Context, b *Backend) error { return b.Set(ctx, "k", nil, driver.MaxHold) }, "set, unlink lease"},
		"Set, endless":   {func(ctx context.Context, b *Backend) error { return b.Set(ctx, "k", nil, 0) }, "set"},
		"SetMany":        {func(ctx context.Context, b *Backend) error { return b.SetMany(ctx, item, time.Hour) }, "set"},
		"SetMany, short": {func(ctx context.Context, b *Backend) error { return b.SetMany(ctx, item, time.Second) }, "set, unlink lease"},
		"Add":            {func(ctx context.Context, b *Backend) error { _, err := b.Add(ctx, "k", nil, time.Hour); return err }, "set, type"},
		"Add, short":     {func(ctx context.Context, b *Backend) error { _, err := b.Add(ctx, "k", nil, time.Second); return err }, "set, type, unlink lease"},
		"Inc":            {func(ctx context.Context, b *Backend) error { _, err := b.Inc(ctx, "k", 1, 0); return err }, "incrby"},
		"Inc, short":     {func(ctx context.Context, b *Backend) error { _, err := b.Inc(ctx, "k", 1, time.Second); return err }, "eval"},
		"Delete":         {func(ctx context.Context, b *Backend) error { _, err := b.Delete(ctx, "k"); return err }, "type, unlink lease, unlink"},
		"DeleteMany":     {func(ctx context.Context, b *Backend) error { _, err := b.DeleteMany(ctx, []string{"k"}); return err }, "type, unlink lease, unlink"},
	} {
		for _, shared := range []bool{false, true} {
			f := startHealthy(t, nil)
			b := start(t, Options{Addr: f.addr})
			if shared {
				b.pipeline.MaxAlone = -1
			}
			if err := tt.call(t.Context(), b); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := f.sent(); got != tt.want {
				t.Errorf("%s, shared %v: sent %q; want %q", name, shared, got, tt.want)
			}
		}
	}
}

// The leases of a prefix end before the first entry is removed.
func TestClearPrefixEndsLeasesFirst(t *testing.T) {
	f := startFake(t, func(_ int, args []string) string {
		switch {
		case args[0] == "scan" && args[1] == "0" && strings.Contains(args[3], leaseMark):
			return "*2\r\n$1\r\n7\r\n*0\r\n"
		case args[0] == "scan" && strings.Contains(args[3], leaseMark):
			return "*2\r\n$1\r\n0\r\n*1\r\n$9\r\nk" + leaseMark + "xy\r\n"
		case args[0] == "scan":
			return "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"
		case args[0] == "unlink":
			return ":1\r\n"
		}
		return ""
	})
	if err := start(t, Options{Addr: f.addr}).ClearPrefix(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	const want = "ping, scan, scan, unlink lease, scan, unlink, hello" // on a connection of its own
	if got := f.sent(); !strings.HasSuffix(got, want) {
		t.Errorf("sent %q; want at the end %q", got, want)
	}
}

// A script whose reply is lost is not sent again, because the server may execute the first
// request later. Release may be: it only removes its own token.
func TestLostRepliesOfLeases(t *testing.T) {
	ctx := t.Context()
	for name, call := range map[string]func(b *Backend) error{
		"Lease": func(b *Backend) error { _, _, _, err := b.Lease(ctx, "k", time.Second); return err },
		"Fill":  func(b *Backend) error { _, err := b.Fill(ctx, "k", "token", nil, 0); return err },
		"CompareAndSwap": func(b *Backend) error {
			_, err := b.CompareAndSwap(ctx, "k", nil, nil, time.Second)
			return err
		},
		"Release": func(b *Backend) error { return b.Release(ctx, "k", "token") },
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, on("eval", func(n int) string {
				if n == 1 {
					return hangUp
				}
				return ":1\r\n"
			}))
			err, sent := call(start(t, Options{Addr: f.addr})), f.count("eval")
			if name == "Release" {
				if err != nil || sent != 2 {
					t.Errorf("%v, sent %d times; want twice", err, sent)
				}
				return
			}
			if !errors.Is(err, cache.ErrUnknownOutcome) || sent != 1 {
				t.Errorf("%v, sent %d times; want ErrUnknownOutcome and once", err, sent)
			}
		})
	}
}

// Get returns a pickle of what Python stored without a mark. CompareAndSwap compares what is
// stored with both forms.
func TestCompareAndSwapOfUnmarked(t *testing.T) {
	for old, unmarked := range map[string]string{
		string(remote.PickleInteger([]byte("9223372036854775808"))): "=9223372036854775808",
		string(remote.PickleBytes([]byte("hello"))):                 "=hello",
		string(remote.PickleBytes(nil)):                             "=",
		string(remote.PickleBytes([]byte("7"))):                     "", // which is read as an integer
		"\x80\x04N.":                                                "",
		"L\n.":                                                      "",
		"7":                                                         "",
		"":                                                          "",
	} {
		for _, flask := range []bool{true, false} {
			sent := make(chan []string, 1)
			f := startFake(t, func(_ int, args []string) string {
				if args[0] == "eval" {
					sent <- args[4:] // after one key
					return ":1\r\n"
				}
				return ""
			})
			b := start(t, Options{Addr: f.addr, Flask: flask, PublishChanges: true})
			if swapped, err := b.CompareAndSwap(t.Context(), "k", []byte(old), []byte("new"), 0); !swapped || err != nil {
				t.Errorf("%q: %v, %v", old, swapped, err)
			}
			want := []string{old, "new", "0", "", changedChannel}
			if flask {
				want = []string{string(b.stored([]byte(old))), "!new", "0", unmarked, changedChannel}
			}
			if got := <-sent; !slices.Equal(got, want) {
				t.Errorf("%q, Flask %v: sent %q; want %q", old, flask, got, want)
			}
		}
	}
}

// A reply to a lease that is neither a value nor a number is malformed.
func TestMalformedLease(t *testing.T) {
	for reply, want := range map[string]error{
		"*0\r\n":                       cache.ErrUnknownOutcome,
		"$-1\r\n":                      cache.ErrUnknownOutcome,
		"-OOM command not allowed\r\n": cache.ErrFull,
		"-READONLY no\r\n":             cache.ErrUnavailable,
		"-ERR unknown command `eval`, with args beginning with: `secret`\r\n": errors.ErrUnsupported,
	} {
		f := startFake(t, on("eval", always(reply)))
		value, ok, token, err := start(t, Options{Addr: f.addr}).Lease(t.Context(), "k", time.Second)
		if value != nil || ok || token != "" || !errors.Is(err, want) {
			t.Errorf("%q: %q, %v, %q, %v; want %v", reply, value, ok, token, err, want)
		}
	}
}
