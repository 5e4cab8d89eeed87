package conformance_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// client is a backend whose store is a server: one JSON request and one reply per
// connection. Its defects are those of real client libraries.
type client struct {
	addr    string
	closed  atomic.Bool
	open    context.Context // done after Close
	close   context.CancelFunc
	stalls  stalledCall
	answers atomic.Int64 // to the operation of stalls
	defects
}

// clientLimit is the largest value in bytes.
const clientLimit = 64 << 10

func newClient(addr string) (driver.Backend, error) { return newClientWith(addr, defects{}), nil }

func newClientWith(addr string, bad defects) *client {
	open, closed := context.WithCancel(context.Background())
	return &client{addr: addr, open: open, close: closed, defects: bad}
}

// stalledCall is the n-th call of op that the server answers: the reply comes after the
// timeout of the client.
type stalledCall struct {
	op string
	n  int64
}

type defects struct {
	ignoresCtx bool
	retries    string // the operation that it retries
	outageMiss bool   // an outage is a miss
	trusts     bool   // it does not check whether a reply is for its key
	lateTTL    bool   // a TTL begins when the server executes the write
	cuts       bool   // it takes the part of a reply that it has read for the value
	unbounded  string // the operation that ignores the context
	kindless   string // the operation whose outage has no kind
	earlyReady bool   // Watch is ready before the server has answered
	noGrace    bool   // Watch has no timeout for a server that is silent
	reconnects bool   // Watch does not return when a connection is lost
	endsScan   bool   // a Scan whose connection is lost ends without an error
}

type request struct {
	Op, Key string
	Value   []byte
	Token   string
	Old     []byte
	Delta   int64
	TTL     time.Duration
	Expires time.Time // set in place of TTL if the client computes the expiry
}

type reply struct {
	Key   string
	Value []byte
	OK    bool
	N     int64
	TTL   time.Duration
	Token string
	Err   string
	List  []driver.Entry
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
				switch err := json.NewDecoder(conn).Decode(&q); {
				case err != nil:
				case q.Op == "watch":
					serveWatch(conn, r, q)
				default:
					json.NewEncoder(conn).Encode(answer(r, q))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func answer(r *reference, q request) (a reply) {
	var err error
	if !q.Expires.IsZero() {
		q.TTL = max(1, time.Until(q.Expires))
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
	case "life":
		a.Value, a.TTL, a.OK, err = r.GetWithTTL(ctx, q.Key)
	case "stats":
		a.N = int64(len(r.names()))
	case "scan":
		a.List = r.page(q.Key, q.Token)
	case "lease":
		a.Value, a.OK, a.Token, err = r.Lease(ctx, q.Key, q.TTL)
	case "fill":
		a.OK, err = r.Fill(ctx, q.Key, q.Token, q.Value, q.TTL)
	case "release":
		err = r.Release(ctx, q.Key, q.Token)
	case "swap":
		a.OK, err = r.CompareAndSwap(ctx, q.Key, q.Old, q.Value, q.TTL)
	case "clear":
		err = r.ClearPrefix(ctx, q.Key)
	}
	if err != nil {
		a.Err = err.Error()
	}
	return a
}

func (b *client) ask(ctx context.Context, q request) (a reply, err error) {
	if b.closed.Load() {
		return a, driver.ErrClosed
	}
	if !utf8.ValidString(q.Key) {
		return a, fmt.Errorf("%w: JSON holds only UTF-8", driver.ErrInvalidKey)
	}
	if len(q.Value) > clientLimit {
		return a, fmt.Errorf("%w: more than %d bytes", driver.ErrTooLarge, clientLimit)
	}
	a, err = b.try(ctx, q)
	if err != nil && q.Op == b.retries && ctx.Err() == nil {
		a, err = b.try(ctx, q)
	}
	if err == nil && q.Op == b.stalls.op && b.answers.Add(1) == b.stalls.n {
		time.Sleep(600 * time.Millisecond)
		err = fmt.Errorf("%w: %w: timeout", driver.ErrUnknownOutcome, driver.ErrUnavailable)
	}
	if err != nil && b.outageMiss && q.Op == "get" {
		return reply{}, nil
	}
	return a, err
}

func (b *client) try(ctx context.Context, q request) (a reply, err error) {
	if b.ignoresCtx || b.unbounded == q.Op {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 400*time.Millisecond)
		defer cancel()
	}
	sent := false
	defer func() {
		if _, bounded := ctx.Deadline(); bounded && errors.Is(err, os.ErrDeadlineExceeded) {
			<-ctx.Done() // the deadline of the connection passed first
		}
		switch read := slices.Contains([]string{"get", "ttl", "life", "stats", "scan"}, q.Op); {
		case err == nil:
		case b.kindless == q.Op:
		case ctx.Err() != nil && sent && !read:
			err = fmt.Errorf("%w: %w: %w", driver.ErrUnknownOutcome, ctx.Err(), err)
		case ctx.Err() != nil:
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		case sent && !read:
			err = fmt.Errorf("%w: %w", driver.ErrUnknownOutcome, err)
		default:
			err = fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
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
	var raw bytes.Buffer
	if err := json.NewDecoder(io.TeeReader(conn, &raw)).Decode(&a); err != nil {
		if part, ok := partOfValue(raw.Bytes()); b.cuts && ok {
			return reply{OK: true, Value: part}, nil
		}
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

// partOfValue returns the bytes of a value that ends early.
func partOfValue(raw []byte) (part []byte, ok bool) {
	_, text, ok := bytes.Cut(raw, []byte(`"Value":"`))
	part, err := base64.StdEncoding.DecodeString(string(text[:len(text)/4*4]))
	return part, ok && err == nil
}

// result returns the reply, with the server's error as a sentinel.
func (b *client) result(ctx context.Context, q request, ttl time.Duration) (reply, error) {
	if b.lateTTL {
		q.TTL = ttl
	} else if ttl > 0 {
		q.Expires = time.Now().Add(ttl)
	}
	a, err := b.ask(ctx, q)
	if err == nil && strings.HasPrefix(a.Err, driver.ErrNotInteger.Error()) {
		err = driver.ErrNotInteger
	}
	return a, err
}

func (b *client) Get(ctx context.Context, key string) ([]byte, bool, error) {
	a, err := b.result(ctx, request{Op: "get", Key: key}, 0)
	if a.OK && a.Value == nil {
		a.Value = []byte{}
	}
	return a.Value, a.OK, err
}

func (b *client) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := b.result(ctx, request{Op: "set", Key: key, Value: value}, ttl)
	return err
}

func (b *client) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	a, err := b.result(ctx, request{Op: "add", Key: key, Value: value}, ttl)
	return a.OK, err
}

func (b *client) Delete(ctx context.Context, key string) (bool, error) {
	a, err := b.result(ctx, request{Op: "delete", Key: key}, 0)
	return a.OK, err
}

func (b *client) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	a, err := b.result(ctx, request{Op: "inc", Key: key, Delta: delta}, ttl)
	return a.N, err
}

func (b *client) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	a, err := b.result(ctx, request{Op: "ttl", Key: key}, 0)
	return a.TTL, a.OK, err
}

func (b *client) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	a, err := b.result(ctx, request{Op: "lease", Key: key}, hold)
	if a.OK && a.Value == nil {
		a.Value = []byte{}
	}
	return a.Value, a.OK, a.Token, err
}

func (b *client) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	a, err := b.result(ctx, request{Op: "fill", Key: key, Token: token, Value: value}, ttl)
	return a.OK, err
}

func (b *client) Release(ctx context.Context, key, token string) error {
	_, err := b.result(ctx, request{Op: "release", Key: key, Token: token}, 0)
	return err
}

func (b *client) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	a, err := b.result(ctx, request{Op: "swap", Key: key, Old: old, Value: value}, ttl)
	return a.OK, err
}

func (b *client) ClearPrefix(ctx context.Context, prefix string) error {
	_, err := b.result(ctx, request{Op: "clear", Key: prefix}, 0)
	return err
}

func (b *client) Clear(context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	return fmt.Errorf("other programs use this server: %w", errors.ErrUnsupported)
}

func (b *client) Close() error {
	b.closed.Store(true)
	b.close()
	return nil
}

// overServer returns a harness of a server that all cases share.
func overServer(t *testing.T, bad defects) conformance.Harness {
	addr := serve(t)
	open := func(addr string) driver.Backend { return newClientWith(addr, bad) }
	return conformance.Harness{
		New: func(*testing.T) driver.Backend { return open(addr) },
		Faults: &conformance.Faults{
			Addr: addr,
			New:  func(_ *testing.T, addr string) (driver.Backend, error) { return open(addr), nil },
		},
		Limits:      conformance.Limits{MaxValue: clientLimit},
		Stores:      conformance.Stores{Reopen: func(*testing.T, driver.Backend) driver.Backend { return open(addr) }},
		Unsupported: map[conformance.Feature]string{conformance.Threshold: "the server is not bounded"},
	}
}

func TestMutantsOfClients(t *testing.T) {
	skipUnderRace(t)
	for _, m := range []struct {
		defect  string
		rule    string
		defects defects
	}{
		{"the context is ignored", "CTX-2", defects{ignoresCtx: true}},
		{"the context is ignored", "CTX-3", defects{ignoresCtx: true}},
		{"Clear with a prefix ignores the context", "CTX-2", defects{unbounded: "clear"}},
		{"TTL ignores the context", "CTX-2", defects{unbounded: "ttl"}},
		{"Inc ignores the context", "CTX-3", defects{unbounded: "inc"}},
		{"Add is retried", "ADD-8", defects{retries: "add"}},
		{"Inc is retried", "CNT-7", defects{retries: "inc"}},
		{"Delete is retried", "ERR-7", defects{retries: "delete"}},
		{"Fill is retried", "LSE-6", defects{retries: "fill"}},
		{"CompareAndSwap is retried", "SWP-5", defects{retries: "swap"}},
		{"an outage is a miss", "ERR-1", defects{outageMiss: true}},
		{"an outage of Clear with a prefix has no kind", "ERR-1", defects{kindless: "clear"}},
		{"an outage of TTL has no kind", "ERR-1", defects{kindless: "ttl"}},
		{"a lost reply of Set has no kind", "ERR-7", defects{kindless: "set"}},
		{"replies are not checked", "BAS-14", defects{trusts: true}},
		{"a part of a reply is a value", "BAS-14", defects{cuts: true}},
		{"a slow write expires late", "TTL-14", defects{lateTTL: true}},
		{"GetWithTTL ignores the context", "CTX-2", defects{unbounded: "life"}},
		{"an outage of Stats has no kind", "ERR-1", defects{kindless: "stats"}},
		{"Scan ignores the context", "CTX-2", defects{unbounded: "scan"}},
		{"an outage of Scan has no kind", "ERR-1", defects{kindless: "scan"}},
		{"Scan that loses its connection ends without an error", "SCN-12", defects{endsScan: true}},
		{"Watch is ready before the server", "WAT-8", defects{earlyReady: true}},
		{"Watch does not notice that the server is silent", "WAT-8", defects{noGrace: true}},
		{"Watch connects again without a word", "WAT-8", defects{reconnects: true}},
	} {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			// The other rules about a network take seconds each.
			only := func(c conformance.Case) bool { return c.ID == m.rule }
			check(t, conformance.Verdicts(t, overServer(t, m.defects), only), m.rule, nil)
		})
	}
}

// A rule passes although one call fails that prepares or confirms it, because the machine
// stood still for longer than the timeout of the client.
func TestStalledCalls(t *testing.T) {
	t.Parallel()
	for rule, calls := range map[string][]stalledCall{
		"CNT-7":  {{"set", 1}, {"set", 2}, {"get", 1}, {"get", 2}, {"get", 3}, {"get", 8}},
		"ERR-7":  {{"set", 2}, {"set", 3}, {"get", 3}},
		"LSE-6":  {{"lease", 1}, {"fill", 1}, {"delete", 1}, {"set", 2}},
		"LSE-15": {{"lease", 1}, {"fill", 1}},
		"SWP-5":  {{"set", 2}, {"get", 8}},
		"TTL-14": {{"set", 2}, {"ttl", 1}},
	} {
		for _, call := range calls {
			t.Run(fmt.Sprint(rule, " ", call.op, " ", call.n), func(t *testing.T) {
				t.Parallel()
				h := overServer(t, defects{})
				h.Faults.New = func(_ *testing.T, addr string) (driver.Backend, error) {
					b := newClientWith(addr, defects{})
					b.stalls = call
					return b, nil
				}
				report := conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == rule })
				if report.Count(conformance.Pass) != 1 {
					t.Errorf("%+v", report.Results)
				}
			})
		}
	}
}

// The trait ServerStartsTTL passes only with a server that has it.
func TestTraitServerStartsTTL(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{true, false} {
		h := overServer(t, defects{lateTTL: late})
		h.Traits = map[conformance.Trait]string{conformance.ServerStartsTTL: "the server counts"}
		report := conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "TTL-14" })
		if report.Traits[conformance.ServerStartsTTL] != "the server counts" {
			t.Errorf("traits: %v, want the declared one", report.Traits)
		}
		if unsupported := report.Count(conformance.Unsupported) == 1; unsupported != late {
			t.Errorf("the trait is declared, the server has it: %v: %+v", late, report.Results)
		}
		if failed := report.Count(conformance.Fail) == 1; failed == late {
			t.Errorf("the trait is declared, the server has it: %v: %+v", late, report.Results)
		}
	}
}
