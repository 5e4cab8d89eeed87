package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
)

// toy is a backend whose store is a server: one JSON request and one reply per
// connection. Its defects are those of client libraries.
type toy struct {
	addr   string
	closed atomic.Bool
	habits
}

// toyLimit is the largest value in bytes.
const toyLimit = 64 << 10

type habits struct {
	ignoresCtx bool
	retries    string // the operation that it repeats
	outageMiss bool   // an outage is a miss
	trusts     bool   // it does not look whether a reply is for its key
	late       bool   // a life begins when the server executes the write
}

type request struct {
	Op, Key string
	Value   []byte
	Delta   int64
	TTL     time.Duration
	Ends    time.Time // instead of TTL, when the call began
}

type reply struct {
	Key   string
	Value []byte
	OK    bool
	N     int64
	TTL   time.Duration
	Err   string
}

// serve answers requests from a reference backend until the test ends.
func serve(t testing.TB) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	r := newReference()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				var q request
				if json.NewDecoder(conn).Decode(&q) == nil {
					json.NewEncoder(conn).Encode(answer(r, q))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func answer(r *reference, q request) (a reply) {
	var err error
	if !q.Ends.IsZero() {
		q.TTL = max(1, time.Until(q.Ends))
	}
	switch a.Key = q.Key; q.Op {
	case "get":
		a.Value, a.OK, err = r.Get(ctx, q.Key)
	case "set":
		err = r.Set(ctx, q.Key, q.Value, q.TTL)
	case "add":
		a.OK, err = r.Add(ctx, q.Key, q.Value, q.TTL)
	case "delete":
		a.OK, err = r.Delete(ctx, q.Key)
	case "inc":
		a.N, err = r.Inc(ctx, q.Key, q.Delta, q.TTL)
	case "ttl":
		a.TTL, a.OK, err = r.TTL(ctx, q.Key)
	case "clear":
		err = r.ClearPrefix(ctx, q.Key)
	}
	if err != nil {
		a.Err = err.Error()
	}
	return a
}

func (b *toy) ask(ctx context.Context, q request) (a reply, err error) {
	if b.closed.Load() {
		return a, cache.ErrClosed
	}
	if !utf8.ValidString(q.Key) {
		return a, fmt.Errorf("%w: JSON holds only UTF-8", cache.ErrInvalidKey)
	}
	if len(q.Value) > toyLimit {
		return a, fmt.Errorf("%w: more than %d bytes", cache.ErrTooLarge, toyLimit)
	}
	a, err = b.try(ctx, q)
	if err != nil && q.Op == b.retries && ctx.Err() == nil {
		a, err = b.try(ctx, q)
	}
	if err != nil && b.outageMiss && q.Op == "get" {
		return reply{}, nil
	}
	return a, err
}

func (b *toy) try(ctx context.Context, q request) (a reply, err error) {
	if b.ignoresCtx {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 400*time.Millisecond)
		defer cancel()
	}
	sent := false
	defer func() {
		if _, bounded := ctx.Deadline(); bounded && errors.Is(err, os.ErrDeadlineExceeded) {
			<-ctx.Done() // the connection knew it first
		}
		switch read := q.Op == "get" || q.Op == "ttl"; {
		case err == nil:
		case ctx.Err() != nil && sent && !read:
			err = fmt.Errorf("%w: %w: %w", cache.ErrUnknownOutcome, ctx.Err(), err)
		case ctx.Err() != nil:
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		case sent && !read:
			err = fmt.Errorf("%w: %w", cache.ErrUnknownOutcome, err)
		default:
			err = fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
		}
	}()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", b.addr)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	sent = true
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return a, err
	}
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		var syntax *json.SyntaxError
		if b.trusts && errors.As(err, &syntax) {
			return reply{OK: true, Value: []byte("junk")}, nil
		}
		return a, err
	}
	if a.Key != q.Key {
		return a, errors.New("the reply is for another key")
	}
	return a, nil
}

// result is the reply with the server's error made ours.
func (b *toy) result(ctx context.Context, q request, ttl time.Duration) (reply, error) {
	if b.late {
		q.TTL = ttl
	} else if ttl > 0 {
		q.Ends = time.Now().Add(ttl)
	}
	a, err := b.ask(ctx, q)
	if err == nil && a.Err == cache.ErrNotInteger.Error() {
		err = cache.ErrNotInteger
	}
	return a, err
}

func (b *toy) Get(ctx context.Context, key string) ([]byte, bool, error) {
	a, err := b.result(ctx, request{Op: "get", Key: key}, 0)
	if a.OK && a.Value == nil {
		a.Value = []byte{}
	}
	return a.Value, a.OK, err
}

func (b *toy) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := b.result(ctx, request{Op: "set", Key: key, Value: value}, ttl)
	return err
}

func (b *toy) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	a, err := b.result(ctx, request{Op: "add", Key: key, Value: value}, ttl)
	return a.OK, err
}

func (b *toy) Delete(ctx context.Context, key string) (bool, error) {
	a, err := b.result(ctx, request{Op: "delete", Key: key}, 0)
	return a.OK, err
}

func (b *toy) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	a, err := b.result(ctx, request{Op: "inc", Key: key, Delta: delta}, ttl)
	return a.N, err
}

func (b *toy) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	a, err := b.result(ctx, request{Op: "ttl", Key: key}, 0)
	return a.TTL, a.OK, err
}

func (b *toy) ClearPrefix(ctx context.Context, prefix string) error {
	_, err := b.result(ctx, request{Op: "clear", Key: prefix}, 0)
	return err
}

func (b *toy) Clear(context.Context) error { return errors.New("other programs use this server") }

func (b *toy) Close() error {
	b.closed.Store(true)
	return nil
}

// overToy is a harness over a server that is shared by all its cases.
func overToy(t *testing.T, bad habits) conformance.Harness {
	addr := serve(t)
	open := func(addr string) cache.Backend { return &toy{addr: addr, habits: bad} }
	return conformance.Harness{
		New: func(*testing.T) cache.Backend { return open(addr) },
		Faults: &conformance.Faults{
			Addr: addr,
			New:  func(_ *testing.T, addr string) (cache.Backend, error) { return open(addr), nil },
		},
		MaxValue:    toyLimit,
		Reopen:      func(*testing.T, cache.Backend) cache.Backend { return open(addr) },
		Unsupported: map[conformance.Feature]string{conformance.Threshold: "the server is not bounded"},
	}
}

func TestMutantsOfNetworks(t *testing.T) {
	overNetwork := func(c conformance.Case) bool {
		return slices.Contains(c.Features, conformance.Network) || c.ID == "BAS-14" || c.ID == "CTX-1"
	}
	for _, m := range []struct {
		defect string
		rule   string
		also   []string
		habits habits
	}{
		{"the context is ignored", "CTX-2", []string{"BAT-14", "CTX-3", "CTX-5", "TTL-14"}, habits{ignoresCtx: true}},
		{"Add is repeated", "ADD-8", nil, habits{retries: "add"}},
		{"Inc is repeated", "CNT-7", nil, habits{retries: "inc"}},
		{"an outage is a miss", "ERR-1", []string{"CTX-2", "CTX-3", "CTX-5", "BAS-14", "BAS-10", "BAT-14", "ERR-6"}, habits{outageMiss: true}},
		{"replies are trusted", "BAS-14", nil, habits{trusts: true}},
		{"a slow write lengthens the life", "TTL-14", nil, habits{late: true}},
	} {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			check(t, conformance.Verdicts(t, overToy(t, m.habits), overNetwork), m.rule, m.also)
		})
	}
}

// A late life is for the harness to declare, and for nobody else.
func TestLateLifeIsDeclared(t *testing.T) {
	for _, late := range []bool{true, false} {
		h := overToy(t, habits{late: late})
		h.LateLife = "the server counts"
		report := conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "TTL-14" })
		if unsupported := report.Count(conformance.Unsupported) == 1; unsupported != late {
			t.Errorf("declared, and so it is: %v: %+v", late, report.Results)
		}
		if failed := report.Count(conformance.Fail) == 1; failed == late {
			t.Errorf("declared, and so it is: %v: %+v", late, report.Results)
		}
	}
}
