package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// batches are the operations on several keys, by the command that they send.
var batches = map[string]func(ctx context.Context, b *Backend, keys []string) error{
	"mget": func(ctx context.Context, b *Backend, keys []string) error {
		values, err := b.GetMany(ctx, keys)
		return errors.Join(err, oneEach(len(values), keys))
	},
	"set": func(ctx context.Context, b *Backend, keys []string) error {
		items := make([]driver.Item, len(keys))
		for i, key := range keys {
			items[i].Key = key
		}
		return b.SetMany(ctx, items, time.Minute)
	},
	"unlink": func(ctx context.Context, b *Backend, keys []string) error {
		deleted, err := b.DeleteMany(ctx, keys)
		return errors.Join(err, oneEach(len(deleted), keys))
	},
}

func oneEach(n int, keys []string) error {
	if n != len(keys) {
		return fmt.Errorf("%d results for %d keys", n, len(keys))
	}
	return nil
}

func manyKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	return keys
}

// skipped counts the keys that failed and those of them that were not sent.
func skipped(t *testing.T, err error) (failed, skipped int) {
	t.Helper()
	var batch *driver.BatchError
	if !errors.As(err, &batch) {
		t.Fatalf("%v; want a BatchError", err)
	}
	for _, f := range batch.Failed {
		if strings.HasPrefix(f.Err.Error(), "skipped after another key failed: ") {
			skipped++
		}
	}
	return len(batch.Failed), skipped
}

// Rule BAT-17 of the contract.
func TestBatchEndsAfterOutage(t *testing.T) {
	for reply, tt := range map[string]struct {
		kind error
		ends bool
	}{
		"-LOADING Redis is loading\r\n":          {driver.ErrUnavailable, true},
		"-NOAUTH Authentication required.\r\n":   {driver.ErrAuth, true},
		"-OOM command not allowed\r\n":           {driver.ErrFull, false},
		"-WRONGTYPE Operation against a key\r\n": {driver.ErrCorrupt, false},
		"-ERR some other mistake\r\n":            {nil, false},
	} {
		for command, call := range batches {
			t.Run(command+"/"+reply[1:4], func(t *testing.T) {
				f := startFake(t, on(command, always(reply)))
				err := call(t.Context(), start(t, Options{Addr: f.addr}), manyKeys(2500))
				failed, skipped := skipped(t, err)
				wantSent, wantSkipped := 2500, 0
				if tt.ends {
					wantSent, wantSkipped = 1000, 1500
				}
				if command == "mget" {
					wantSent = (wantSent + 999) / 1000
				}
				if sent := f.count(command); sent != wantSent || failed != 2500 || skipped != wantSkipped {
					t.Errorf("sent %d commands, %d keys failed, %d of them skipped; want %d, 2500, %d", sent, failed, skipped, wantSent, wantSkipped)
				}
				if tt.kind != nil && !errors.Is(err, tt.kind) {
					t.Errorf("%v; want %v", err, tt.kind)
				}
			})
		}
	}
}

func TestBatchEndsAtItsDeadline(t *testing.T) {
	for command, call := range batches {
		f := startFake(t, on(command, always(silence)))
		err := call(soon(t, 100*time.Millisecond), start(t, Options{Addr: f.addr}), manyKeys(2500))
		failed, skipped := skipped(t, err)
		if failed != 2500 || skipped != 1500 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %d keys failed, %d of them skipped: %v", command, failed, skipped, err)
		}
	}
}

// An outage of one node ends the batch for its keys only.
func TestBatchGoesOnWithOtherNodes(t *testing.T) {
	var up, down *fake
	slots := func(n int, args []string) string {
		if args[0] != "cluster" {
			return ""
		}
		return "*2\r\n" + slotRange(t, 0, 8191, up.addr) + slotRange(t, 8192, 16383, down.addr)
	}
	up = startFake(t, slots)
	down = startFake(t, func(n int, args []string) string {
		if args[0] == "set" {
			return "-LOADING Redis is loading\r\n"
		}
		return slots(n, args)
	})
	b := start(t, Options{Cluster: []string{up.addr}})
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	const keys = 4000
	err := batches["set"](t.Context(), b, manyKeys(keys))
	failed, skipped := skipped(t, err)
	if !errors.Is(err, cache.ErrUnavailable) || failed < keys/4 || failed+up.count("set") != keys || down.count("set") >= 1000 || down.count("set")+skipped != failed {
		t.Errorf("%d keys failed, %d of them skipped, sent to one node %d, to the other %d: %v",
			failed, skipped, up.count("set"), down.count("set"), err)
	}
}

// slotRange is an element of the reply to CLUSTER SLOTS.
func slotRange(t *testing.T, first, last int, addr string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("*3\r\n:%d\r\n:%d\r\n*3\r\n$%d\r\n%s\r\n:%s\r\n$2\r\nid\r\n", first, last, len(host), host, port)
}

func TestBatchOfUnreachableCluster(t *testing.T) {
	b := start(t, Options{Cluster: []string{"127.0.0.1:1"}})
	err := batches["set"](t.Context(), b, manyKeys(3000))
	if failed, skipped := skipped(t, err); failed != 3000 || skipped != 2000 {
		t.Errorf("%d keys failed, %d of them skipped", failed, skipped)
	}
}

func TestBatchOfClosed(t *testing.T) {
	b := start(t, Options{})
	b.Close()
	for command, call := range batches {
		if err := call(t.Context(), b, manyKeys(3)); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("%s: %v; want ErrClosed", command, err)
		}
	}
}
