package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// writesOf are all calls that change the entry k.
func writesOf(b *Backend) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Set":            func(ctx context.Context) error { return b.Set(ctx, "k", nil, 0) },
		"Set, short":     func(ctx context.Context) error { return b.Set(ctx, "k", nil, time.Second) },
		"SetMany":        func(ctx context.Context) error { return b.SetMany(ctx, []driver.Item{{Key: "k"}}, time.Hour) },
		"Add":            func(ctx context.Context) error { _, err := b.Add(ctx, "k", nil, time.Second); return err },
		"Delete":         func(ctx context.Context) error { _, err := b.Delete(ctx, "k"); return err },
		"DeleteMany":     func(ctx context.Context) error { _, err := b.DeleteMany(ctx, []string{"k"}); return err },
		"Inc":            func(ctx context.Context) error { _, err := b.Inc(ctx, "k", 1, 0); return err },
		"Inc, timeout":   func(ctx context.Context) error { _, err := b.Inc(ctx, "k", 1, time.Hour); return err },
		"Fill":           func(ctx context.Context) error { _, err := b.Fill(ctx, "k", "token", nil, 0); return err },
		"CompareAndSwap": func(ctx context.Context) error { _, err := b.CompareAndSwap(ctx, "k", nil, nil, 0); return err },
		"ClearPrefix":    func(ctx context.Context) error { return b.ClearPrefix(ctx, "k") },
		"Clear":          func(ctx context.Context) error { return b.Clear(ctx) },
	}
}

// commands are those that change an entry. They are for scripts with PublishChanges.
var commands = []string{"set", "unlink", "incrby", "flushdb", "eval"}

// writing records the commands that change entries, and replies to them.
func writing(received *[]string, mu *sync.Mutex) func(int, []string) string {
	return func(n int, args []string) string {
		name := strings.ToLower(args[0])
		if slices.Contains(commands, name) {
			mu.Lock()
			defer mu.Unlock()
			*received = append(*received, strings.Join(args, " "))
		}
		switch name {
		case "scan":
			if strings.Contains(args[3], leaseMark) {
				return "*2\r\n$1\r\n0\r\n*0\r\n"
			}
			return "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"
		case "unlink", "incrby":
			return ":1\r\n"
		case "eval":
			if strings.Contains(args[1], "flushdb") || strings.Contains(args[1], "unpack") && args[len(args)-2] != "k" && !slices.Contains(args, "unlink") {
				return "+OK\r\n"
			}
			return ":1\r\n"
		}
		return ""
	}
}

// Every write publishes, in one script with the change, or fails as a whole.
func TestPublishChanges(t *testing.T) {
	for _, publishes := range []bool{false, true} {
		var mu sync.Mutex
		var received []string
		f := startFake(t, writing(&received, &mu))
		b := start(t, Options{Addr: f.addr, AllowFlush: true, PublishChanges: publishes})
		for name, write := range writesOf(b) {
			received = nil
			if err := write(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			mu.Lock()
			if len(received) != 1 {
				t.Errorf("%s, publishes %v: sent %q; want one command", name, publishes, received)
			}
			channel := changedChannel
			if name == "Clear" {
				channel = flushedChannel
			}
			for _, command := range received {
				if published := strings.HasPrefix(command, "eval redis.call('publish', ARGV["); published != publishes || strings.HasSuffix(command, channel) != publishes {
					t.Errorf("%s, publishes %v: sent %q", name, publishes, command)
				}
			}
			mu.Unlock()
		}
	}
}

// A write that may not publish fails with the remedy, and no other way to write is tried.
func TestPublishChangesIsRefused(t *testing.T) {
	for _, reply := range []string{
		noEval,
		"-NOPERM ACL failure in script: User app has no permissions to run the 'publish' command script: 1, on @user_script:1.\r\n",
		"-NOPERM ACL failure in script: User app has no permissions to access the 'cachebackends:changed:k' channel script: 1, on @user_script:1.\r\n",
		"-ERR unknown command 'EVAL'\r\n",
		"-ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:1.\r\n",
		"-ERR The user executing the script can't publish to the channel mentioned in the command script: 1, on @user_script:1.\r\n",
	} {
		var mu sync.Mutex
		var received []string
		usual := writing(&received, &mu)
		f := startFake(t, func(n int, args []string) string {
			if answer := usual(n, args); args[0] != "eval" {
				return answer
			}
			return reply
		})
		b := start(t, Options{Addr: f.addr, AllowFlush: true, PublishChanges: true})
		for name, write := range writesOf(b) {
			for range 2 {
				err := write(t.Context())
				byScript := name == "Fill" || name == "CompareAndSwap"
				if err == nil || !strings.Contains(err.Error(), "PublishChanges (publish_changes)") && !(byScript && driver.IsUnsupported(err)) {
					t.Errorf("%s after %q: %v", name, reply, err)
				}
			}
		}
		for _, command := range received {
			if !strings.HasPrefix(command, "eval ") {
				t.Errorf("sent %q after %q", command, reply)
			}
		}
	}
}

// subscription replies as a server that supports RESP3 or only RESP2.
func subscription(resp3 bool) func(int, []string) string {
	if !resp3 {
		return func(_ int, args []string) string {
			switch args[0] {
			case "PSUBSCRIBE":
				return message('*', "psubscribe", args[1]) + message('*', "psubscribe", args[2])
			case "PING":
				return message('*', "pong", "")
			}
			return ""
		}
	}
	return tracking(func(_ int, args []string) string {
		if args[0] == "PSUBSCRIBE" {
			return message('>', "psubscribe", args[1]) + message('>', "psubscribe", args[2])
		}
		return ""
	})
}

// message is a list of strings.
func message(kind byte, texts ...string) string {
	all := fmt.Sprintf("%c%d\r\n", kind, len(texts))
	for _, text := range texts {
		all += fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
	}
	return all
}

func TestWatchOfPublications(t *testing.T) {
	for _, kind := range []byte("*>") {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel() // it waits for intervals
			var pattern atomic.Value
			asked := make(chan struct{}, 100)
			answer := subscription(kind == '>')
			f := startFake(t, func(n int, args []string) string {
				switch args[0] {
				case "PSUBSCRIBE":
					pattern.Store(strings.Join(args[1:], " "))
				case "PING":
					asked <- struct{}{}
				}
				return answer(n, args)
			})
			b := start(t, Options{Addr: f.addr, PublishChanges: true})
			w := startWatch(t, b, "p*:", ample/4)
			w.waitReady(t)
			if want := `cachebackends:changed:p\*:* cachebackends:flushed`; pattern.Load() != want {
				t.Errorf("subscribed to %q; want %q", pattern.Load(), want)
			}
			f.push(message(kind, "pmessage", "p", changedChannel+"p*:a", "") + message(kind, "message", "other", "x"))
			f.push(message(kind, "pmessage", "p", changedChannel+"p*:\r\n", ""))
			w.expect(t, "p*:a", "p*:\r\n")
			for range 2 { // it asks again only after an answer
				select {
				case <-asked:
				case err := <-w.ended:
					t.Fatal(err)
				}
			}
			f.push(message(kind, "pmessage", flushedChannel, flushedChannel, ""))
			if err := w.end(t); !errors.Is(err, errFlushed) {
				t.Errorf("after a flush: %v", err)
			}
		})
	}
}

// Watch ends when changes may have been missed, or cannot begin.
func TestWatchOfPublicationsEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		push  string
		reply string // to PSUBSCRIBE
		want  error
	}{
		"cut":             {push: hangUp, want: cache.ErrUnavailable},
		"another channel": {push: message('>', "pmessage", "p", "other", ""), want: cache.ErrUnavailable},
		"null":            {push: ">4\r\n$8\r\npmessage\r\n$1\r\np\r\n$-1\r\n$0\r\n\r\n", want: cache.ErrUnavailable},
		"not a string":    {push: ">4\r\n$8\r\npmessage\r\n$1\r\np\r\n:1\r\n$0\r\n\r\n", want: cache.ErrUnavailable},
		"no command":      {reply: "-ERR unknown command 'PSUBSCRIBE'\r\n", want: errors.ErrUnsupported},
		"no permission":   {reply: "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n", want: cache.ErrAuth},
	} {
		t.Run(name, func(t *testing.T) {
			answer := subscription(true)
			f := startFake(t, func(n int, args []string) string {
				if args[0] == "PSUBSCRIBE" && tt.reply != "" {
					return tt.reply
				}
				return answer(n, args)
			})
			w := startWatch(t, start(t, Options{Addr: f.addr, PublishChanges: true}), "p", ample)
			if tt.reply == "" {
				w.waitReady(t)
			}
			if tt.push == hangUp {
				f.dropAll()
			} else if tt.push != "" {
				f.push(tt.push)
			}
			if err := w.end(t); !errors.Is(err, tt.want) {
				t.Errorf("%v; want %v", err, tt.want)
			}
		})
	}
}
