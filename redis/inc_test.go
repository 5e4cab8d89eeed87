package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

const (
	noEval  = "-NOPERM this user has no permissions to run the 'eval' command\r\n"
	noMulti = "-ERR unsupported command 'multi'\r\n"
)

// record replies by the name of the command and keeps the names in their order.
type record struct {
	mu       sync.Mutex
	commands []string
	answers  map[string]string
}

func (r *record) answer(_ int, args []string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := strings.ToLower(args[0])
	if name != "hello" && name != "ping" {
		r.commands = append(r.commands, name)
	}
	if reply := r.answers[name]; reply != "" {
		return reply
	}
	return map[string]string{"pttl": ":1\r\n", "pexpire": ":0\r\n"}[name]
}

// sent returns the commands since the last call.
func (r *record) sent() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := strings.Join(r.commands, " ")
	r.commands = nil
	return names
}

func (r *record) set(name, reply string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[name] = reply
}

func TestIncMethods(t *testing.T) {
	const transaction = "multi set incrby exec"
	for name, tt := range map[string]struct {
		answers       map[string]string
		first, second string // commands of the first and of the second call
	}{
		"script":                {map[string]string{"eval": ":7\r\n"}, "eval", "eval"},
		"large sum of a script": {map[string]string{"eval": "$1\r\n7\r\n"}, "eval", "eval"},
		"transaction": {map[string]string{"eval": noEval, "exec": "*2\r\n$-1\r\n:7\r\n"},
			"eval multi exec " + transaction, transaction},
		"commands, key absent": {map[string]string{"eval": noEval, "multi": noMulti},
			"eval multi exec set pttl", "set pttl"},
		"commands, key with an expiry": {map[string]string{"eval": noEval, "multi": noMulti, "set": "$-1\r\n", "incrby": ":7\r\n"},
			"eval multi exec set pttl incrby pexpire", "set pttl incrby pexpire"},
		"commands, key without an expiry": {map[string]string{"eval": noEval, "multi": noMulti, "set": "$-1\r\n", "pttl": ":-1\r\n", "incrby": ":7\r\n"},
			"eval multi exec set pttl incrby", "set pttl incrby"},
		"commands, no right to PTTL": {map[string]string{"eval": noEval, "multi": noMulti, "set": "$-1\r\n", "pttl": noEval, "incrby": ":7\r\n"},
			"eval multi exec set pttl incrby", "set pttl incrby"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &record{answers: tt.answers}
			b := start(t, Options{Addr: startFake(t, r.answer).addr})
			for _, want := range []string{tt.first, tt.second} {
				if sum, err := b.Inc(t.Context(), "k", 7, time.Hour); sum != 7 || err != nil {
					t.Errorf("Inc = %d, %v", sum, err)
				}
				if sent := r.sent(); sent != want {
					t.Errorf("sent %q; want %q", sent, want)
				}
			}
			r.set("incrby", ":7\r\n")
			if sum, err := b.Inc(t.Context(), "k", 7, 0); sum != 7 || err != nil {
				t.Errorf("without a timeout: %d, %v", sum, err)
			}
			if sent := r.sent(); sent != "incrby" {
				t.Errorf("without a timeout: sent %q", sent)
			}
		})
	}
}

// If a command of a plan is refused, the later ones are not sent, and the call returns its
// error.
func TestIncRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		answers map[string]string
		want    error
		sent    string
	}{
		"key, by a script": {map[string]string{"eval": "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n"},
			cache.ErrAuth, "eval"},
		"loading":             {map[string]string{"eval": "-LOADING Redis is loading\r\n"}, cache.ErrUnavailable, "eval"},
		"text":                {map[string]string{"eval": "-ERR value is not an integer or out of range\r\n"}, cache.ErrNotInteger, "eval"},
		"list":                {map[string]string{"eval": "-WRONGTYPE Operation against a key\r\n"}, cache.ErrCorrupt, "eval eval"},
		"sum that is no text": {map[string]string{"eval": "$10\r\nunreadable\r\n"}, cache.ErrUnknownOutcome, "eval"},
		"text, in a transaction": {map[string]string{"eval": noEval, "exec": "*2\r\n$-1\r\n-ERR value is not an integer or out of range\r\n"},
			cache.ErrNotInteger, "eval multi exec multi set incrby exec"},
		"replica, in a transaction": {map[string]string{"eval": noEval, "incrby": "-READONLY You can't write\r\n", "exec": "-EXECABORT Transaction discarded\r\n"},
			cache.ErrUnavailable, "eval multi exec multi set incrby exec"},
		"SET":  {map[string]string{"eval": noEval, "multi": noMulti, "set": "-NOPERM this user has no permissions to run the 'set' command\r\n"}, cache.ErrAuth, "eval multi exec set pttl"},
		"full": {map[string]string{"eval": noEval, "multi": noMulti, "set": "-OOM command not allowed\r\n"}, cache.ErrFull, "eval multi exec set pttl"},
		"INCRBY": {map[string]string{"eval": noEval, "multi": noMulti, "set": "$-1\r\n", "incrby": "-NOPERM this user has no permissions to run the 'incrby' command\r\n"},
			cache.ErrAuth, "eval multi exec set pttl incrby"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &record{answers: tt.answers}
			b := start(t, Options{Addr: startFake(t, r.answer).addr})
			if _, err := b.Inc(t.Context(), "k", 7, time.Hour); !errors.Is(err, tt.want) {
				t.Errorf("%v; want %v", err, tt.want)
			}
			if sent := r.sent(); sent != tt.sent {
				t.Errorf("sent %q; want %q", sent, tt.sent)
			}
		})
	}
}

// If transactions are refused after they were allowed, Inc still returns the sum.
func TestTransactionsRefusedLater(t *testing.T) {
	r := &record{answers: map[string]string{"eval": noEval, "exec": "*2\r\n$-1\r\n:7\r\n"}}
	b := start(t, Options{Addr: startFake(t, r.answer).addr})
	if sum, err := b.Inc(t.Context(), "k", 7, time.Hour); sum != 7 || err != nil {
		t.Fatalf("Inc = %d, %v", sum, err)
	}
	r.set("multi", noMulti)
	r.set("set", "$-1\r\n")
	r.set("incrby", ":14\r\n")
	r.set("exec", "-ERR EXEC without MULTI\r\n")
	r.sent()
	for _, want := range []string{"multi set incrby exec", "set pttl incrby"} {
		if sum, err := b.Inc(t.Context(), "k", 7, time.Hour); sum != 14 || err != nil {
			t.Errorf("Inc = %d, %v; the server has counted", sum, err)
		}
		if sent := r.sent(); sent != want {
			t.Errorf("sent %q; want %q", sent, want)
		}
	}
}

// No reply to a plan is left for the next caller, even if it arrives late.
func TestRefusedPlanLeavesNoReply(t *testing.T) {
	for name, refused := range map[string][]string{
		"scripts":                  {"eval"},
		"scripts and transactions": {"eval", "multi", "exec"},
		"everything but GET":       {"eval", "multi", "exec", "set", "pttl", "incrby", "pexpire"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, func(_ int, args []string) string {
				name := strings.ToLower(args[0])
				switch {
				case slices.Contains(refused, name):
					return "-NOPERM this user has no permissions to run the '" + name + "' command\r\n"
				case name == "get":
					return "$5\r\nvalue\r\n"
				case name == "exec":
					return "*2\r\n$-1\r\n:1\r\n"
				}
				time.Sleep(time.Millisecond) // so that replies come one by one
				return ""
			})
			b := start(t, Options{Addr: f.addr, PoolSize: 1})
			for range 3 {
				_, _ = b.Inc(t.Context(), "n", 1, time.Hour)
				if v, ok, err := b.Get(t.Context(), "k"); string(v) != "value" || !ok || err != nil {
					t.Errorf("Get = %q, %v, %v", v, ok, err)
				}
			}
		})
	}
}

// A counter that expires while Inc sends single commands gets an expiry again, on servers
// without PEXPIRE NX too. What another client has stored meanwhile gets none.
func TestCounterExpiresDuringInc(t *testing.T) {
	const noNX = "-ERR wrong number of arguments for 'pexpire' command\r\n"
	for name, tt := range map[string]struct {
		left string // replies to PTTL after INCRBY
		sum  int64
		sent []string
	}{
		"made by INCRBY":  {":-1\r\n", 7, []string{"pexpire k 3600000 nx", "pexpire k 3600000"}},
		"has an expiry":   {":100\r\n", 7, []string{"pexpire k 3600000 nx"}},
		"was not expired": {":-1\r\n", 14, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var sent []string
			f := startFake(t, func(n int, args []string) string {
				switch args[0] {
				case "eval":
					return noEval
				case "multi":
					return noMulti
				case "set":
					return "$-1\r\n"
				case "incrby":
					return fmt.Sprintf(":%d\r\n", tt.sum)
				case "pttl":
					if n > 1 {
						return tt.left
					}
					return ":1\r\n"
				case "pexpire":
					mu.Lock()
					sent = append(sent, strings.Join(args, " "))
					mu.Unlock()
					if len(args) > 3 {
						return noNX
					}
					return ":1\r\n"
				}
				return ""
			})
			b := start(t, Options{Addr: f.addr})
			if sum, err := b.Inc(t.Context(), "k", 7, time.Hour); sum != tt.sum || err != nil {
				t.Errorf("Inc = %d, %v", sum, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(sent, tt.sent) {
				t.Errorf("sent %q; want %q", sent, tt.sent)
			}
		})
	}
}
