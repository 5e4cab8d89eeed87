package driver_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// plain is a backend of the six methods over a map.
type plain struct {
	data map[string][]byte
	fail map[string]error
	gets int
}

func (p *plain) Get(_ context.Context, key string) ([]byte, bool, error) {
	p.gets++
	value, ok := p.data[key]
	return value, ok, p.fail[key]
}

func (p *plain) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	if p.fail[key] == nil {
		p.data[key] = value
	}
	return p.fail[key]
}

func (p *plain) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return true, p.Set(ctx, key, value, ttl)
}

func (p *plain) Delete(_ context.Context, key string) (bool, error) {
	_, ok := p.data[key]
	delete(p.data, key)
	return ok, p.fail[key]
}

func (p *plain) Clear(context.Context) error { clear(p.data); return nil }
func (p *plain) Close() error                { return nil }

// refusing has every optional method, and each returns errors.ErrUnsupported.
type refusing struct{ *plain }

var errNot = fmt.Errorf("not today: %w", errors.ErrUnsupported)

func (refusing) Has(context.Context, string) (bool, error)            { return true, errNot }
func (refusing) GetMany(context.Context, []string) ([][]byte, error)  { return nil, errNot }
func (refusing) DeleteMany(context.Context, []string) ([]bool, error) { return nil, errNot }
func (refusing) Ping(context.Context) error                           { return errNot }
func (refusing) ClearPrefix(context.Context, string) error            { return errNot }
func (refusing) Name() string                                         { return "refusing(plain)" }
func (refusing) SetMany(context.Context, []driver.Item, time.Duration) error {
	return errNot
}
func (refusing) Inc(context.Context, string, int64, time.Duration) (int64, error) { return 0, errNot }
func (refusing) TTL(context.Context, string) (time.Duration, bool, error)         { return 0, true, errNot }

func (refusing) GetAppend(context.Context, string, []byte) ([]byte, bool, error) {
	return nil, true, errNot
}
func (refusing) GetManyWithTTL(context.Context, []string) ([][]byte, []time.Duration, error) {
	return nil, nil, errNot
}
func (refusing) Scan(context.Context, string) iter.Seq2[driver.Entry, error] {
	return driver.FailedScan(errNot)
}
func (refusing) Stats(context.Context) (driver.Stats, error) { return driver.Stats{}, errNot }

// embedding is a wrapper that overrides nothing.
type embedding struct{ *driver.Operations }

func TestFallbacks(t *testing.T) {
	for name, make := range map[string]func(p *plain) driver.Backend{
		"six methods":      func(p *plain) driver.Backend { return p },
		"asking for them":  func(p *plain) driver.Backend { return refusing{p} },
		"wrapped":          func(p *plain) driver.Backend { return embedding{driver.Resolve(p)} },
		"wrapped, refuses": func(p *plain) driver.Backend { return embedding{driver.Resolve(refusing{p})} },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			p := &plain{
				data: map[string][]byte{"nil": nil, "empty": {}, "a": []byte("1")},
				fail: map[string]error{"damaged": driver.ErrCorrupt, "large": driver.ErrTooLarge},
			}
			o := driver.Resolve(make(p))
			for key, want := range map[string]bool{"a": true, "nil": true, "absent": false, "damaged": false} {
				if ok, err := o.Has(ctx, key); ok != want || err != nil {
					t.Errorf("Has(%q) = %v, %v", key, ok, err)
				}
			}
			for key, want := range map[string]string{"a": "dst:1", "nil": "dst:", "absent": "dst:", "damaged": "dst:"} {
				extended, ok, err := o.GetAppend(ctx, key, []byte("dst:"))
				if string(extended) != want || ok != (key == "a" || key == "nil") || (err != nil) != (key == "damaged") {
					t.Errorf("GetAppend(%q) = %q, %v, %v", key, extended, ok, err)
				}
			}
			values, err := o.GetMany(ctx, []string{"a", "absent", "nil", "large", "a"})
			var batch *driver.BatchError
			if want := [][]byte{[]byte("1"), nil, {}, nil, []byte("1")}; !reflect.DeepEqual(values, want) || !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "large" {
				t.Errorf("GetMany: %q, %v", values, err)
			}
			err = o.SetMany(ctx, []driver.Item{{Key: "b", Value: []byte("2")}, {Key: "large"}}, 0)
			if !errors.Is(err, driver.ErrTooLarge) || string(p.data["b"]) != "2" {
				t.Errorf("SetMany: %v, %q", err, p.data)
			}
			if deleted, err := o.DeleteMany(ctx, []string{"b", "absent"}); err != nil || !reflect.DeepEqual(deleted, []bool{true, false}) {
				t.Errorf("DeleteMany: %v, %v", deleted, err)
			}
			if err := o.Ping(ctx); err != nil {
				t.Errorf("Ping: %v", err)
			}
			_, incErr := o.Inc(ctx, "n", 1, 0)
			_, _, ttlErr := o.TTL(ctx, "a")
			_, _, valueErr := o.GetValue(ctx, "a")
			_, addErr := o.AddValue(ctx, "a", 1, 0)
			_, _, _, lifeErr := o.GetWithTTL(ctx, "a")
			_, _, livesErr := o.GetManyWithTTL(ctx, []string{"a"})
			_, statsErr := o.Stats(ctx)
			var scanErr error
			for _, scanErr = range o.Scan(ctx, "") {
			}
			for op, err := range map[string]error{
				"Inc": incErr, "TTL": ttlErr, "GetValue": valueErr, "AddValue": addErr,
				"GetWithTTL": lifeErr, "GetManyWithTTL": livesErr, "Stats": statsErr, "Scan": scanErr,
				"Watch":    o.Watch(ctx, "", time.Second, driver.Notices{}),
				"SetValue": o.SetValue(ctx, "a", 1, 0), "ClearPrefix": o.ClearPrefix(ctx, "a"),
			} {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%s: %v", op, err)
				}
			}
			if o.CopiesValues() {
				t.Error("CopiesValues = true without a Copier")
			}
			if want := "driver_test.plain"; o.Name() != want && o.Name() != "refusing(plain)" {
				t.Errorf("named %s", o.Name())
			}
		})
	}
}

// Rule BAT-17 of the contract.
func TestFallbackSkipsAfterAnOutage(t *testing.T) {
	p := &plain{fail: map[string]error{"c": fmt.Errorf("%w: %w", driver.ErrUnavailable, os.ErrDeadlineExceeded)}}
	values, err := driver.Resolve(p).GetMany(t.Context(), []string{"a", "b", "c", "d", "e"})
	var batch *driver.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 3 || p.gets != 3 || len(values) != 5 {
		t.Fatalf("%d gets, %d values, %v", p.gets, len(values), err)
	}
	if last := batch.Failed[2].Err; !errors.Is(last, driver.ErrUnavailable) || !errors.Is(last, os.ErrDeadlineExceeded) || !strings.HasPrefix(last.Error(), "skipped after another key failed: ") {
		t.Errorf("skipped: %v", last)
	}
}

func TestBatchErrors(t *testing.T) {
	var a, b driver.BatchError
	a.Fail("p:1", driver.ErrFull)
	b.Fail("p:2", driver.ErrTooLarge)
	merged := driver.MergeBatch(nil, &a, nil, &b)
	renamed := driver.RenameKeys(merged, func(key string) string { return strings.TrimPrefix(key, "p:") })
	if got := renamed.Error(); got != `2 failed; "1": store is full; "2": value too large` {
		t.Errorf("got %s", got)
	}
	if !errors.Is(renamed, driver.ErrFull) || !errors.Is(renamed, driver.ErrTooLarge) || driver.MergeBatch(nil, nil) != nil {
		t.Errorf("got %v", renamed)
	}
	if other := driver.MergeBatch(driver.ErrClosed, &a); !errors.Is(other, driver.ErrClosed) || !errors.Is(other, driver.ErrFull) {
		t.Errorf("got %v", other)
	}
	if driver.RenameKeys(driver.ErrClosed, nil) != driver.ErrClosed || driver.MergeBatch(driver.ErrClosed) == nil {
		t.Error("another error is changed")
	}
}

// A BatchError is found wherever it is: its keys are merged and renamed, and the
// errors beside it are kept.
func TestBatchErrorsInsideOthers(t *testing.T) {
	var a, b driver.BatchError
	a.Fail("p:1", driver.ErrFull)
	b.Fail("p:2", driver.ErrTooLarge)
	rename := func(key string) string { return strings.TrimPrefix(key, "p:") }
	var nested driver.BatchError
	nested.Fail("p:3", fmt.Errorf("chunk: %w", &a))
	for name, err := range map[string]error{
		"joined":           errors.Join(driver.ErrUnavailable, &a),
		"merged":           driver.MergeBatch(&a, driver.ErrUnavailable),
		"wrapped":          fmt.Errorf("shard: %w", &a),
		"in a format":      fmt.Errorf("%w: %w", driver.ErrUnavailable, &a),
		"wrapped and join": fmt.Errorf("shard: %w", errors.Join(driver.ErrUnavailable, fmt.Errorf("batch: %w", &a))),
		"nested":           &nested,
	} {
		t.Run(name, func(t *testing.T) {
			renamed := driver.RenameKeys(err, rename)
			if strings.Contains(renamed.Error(), "p:") {
				t.Errorf("RenameKeys: %v", renamed)
			}
			merged := driver.MergeBatch(&b, err)
			var batch *driver.BatchError
			if !errors.As(merged, &batch) || len(batch.Failed) != 2 || batch.Failed[0].Key != "p:2" {
				t.Errorf("MergeBatch: %v; want the keys of both", merged)
			}
			for _, got := range []error{renamed, merged} {
				if !errors.Is(got, driver.ErrFull) || errors.Is(got, driver.ErrUnavailable) != errors.Is(err, driver.ErrUnavailable) {
					t.Errorf("%v does not match what %v matches", got, err)
				}
			}
		})
	}
}

func TestIsCorrupt(t *testing.T) {
	batch := func(errs ...error) error { return driver.BatchOf(make([]string, len(errs)), errs) }
	corrupt := fmt.Errorf("%w: short read", driver.ErrCorrupt)
	other := errors.New("shard down")
	for _, err := range []error{
		driver.ErrCorrupt, corrupt, fmt.Errorf("%w: %w", driver.ErrCorrupt, os.ErrPermission), fmt.Errorf("%w: %w", corrupt, other),
		errors.Join(corrupt, driver.ErrCorrupt), batch(corrupt, driver.ErrCorrupt), fmt.Errorf("x: %w", batch(corrupt)),
	} {
		if !driver.IsCorrupt(err) {
			t.Errorf("%v is not damage only", err)
		}
	}
	for _, err := range []error{
		nil, other, driver.ErrUnavailable, errors.Join(corrupt, other), errors.Join(batch(corrupt), driver.ErrUnavailable),
		batch(corrupt, other), fmt.Errorf("x: %w", batch(corrupt, other)), fmt.Errorf("%w; %w", batch(corrupt), other),
		fmt.Errorf("%w: %w", driver.ErrCorrupt, driver.ErrUnavailable), fmt.Errorf("%w: %w", driver.ErrCorrupt, context.Canceled),
	} {
		if driver.IsCorrupt(err) {
			t.Errorf("%v is damage only", err)
		}
	}
}

// A read that meets damage and an outage has met an outage.
func TestFallbacksReportAnOutageBesideDamage(t *testing.T) {
	p := &plain{fail: map[string]error{}}
	for _, key := range []string{"k", "ping"} {
		p.fail[key] = errors.Join(driver.ErrCorrupt, driver.ErrUnavailable)
	}
	o := driver.Resolve(p)
	if _, err := o.Has(t.Context(), "k"); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Has = %v", err)
	}
	if err := o.Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Ping = %v", err)
	}
}

func TestEndsBatchLooksAtEveryError(t *testing.T) {
	closed := &os.PathError{Op: "read", Err: os.ErrClosed} // has a method Timeout, which returns false
	for _, late := range []error{context.DeadlineExceeded, os.ErrDeadlineExceeded, syscall.ETIMEDOUT} {
		err := fmt.Errorf("%w: %w", driver.ErrUnknownOutcome, errors.Join(closed, late))
		if !driver.EndsBatch(err) || !driver.EndsBatch(driver.Skipped(err)) {
			t.Errorf("%v does not end a batch", err)
		}
	}
	if driver.EndsBatch(closed) || driver.EndsBatch(nil) {
		t.Error("ends a batch without a reason")
	}
}

// An operation that a system call does not support is a failure, not a question for
// the fallback.
func TestUnsupportedSystemCallIsAFailure(t *testing.T) {
	err := fmt.Errorf("%w: %w", driver.ErrUnavailable, os.NewSyscallError("connect", syscall.EOPNOTSUPP))
	if !errors.Is(err, errors.ErrUnsupported) || driver.IsUnsupported(err) || driver.IsUnsupported(nil) {
		t.Errorf("%v is unsupported", err)
	}
	if !driver.IsUnsupported(errors.Join(err, fmt.Errorf("x: %w", errors.ErrUnsupported))) {
		t.Error("a wrapped ErrUnsupported is not found")
	}
}
