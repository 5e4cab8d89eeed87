package conformance_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance"
	"github.com/cachebackends/cachebackends/core/driver"
)

// mutant is the reference with some of its methods replaced.
type mutant struct {
	*reference
	build   func() mutant // for a mutant that has state of its own
	copies  bool
	racy    bool // the defect is a race: replaced methods run without the lock
	step    *sync.Mutex
	key     func(string) string // changes keys
	ttl     func(time.Duration) time.Duration
	get     func(r *reference, key string) ([]byte, bool, error)
	set     func(r *reference, key string, value []byte, ttl time.Duration) error
	add     func(r *reference, key string, value []byte, ttl time.Duration) (bool, error)
	del     func(r *reference, key string) (bool, error)
	has     func(r *reference, key string) (bool, error)
	left    func(r *reference, key string) (time.Duration, bool, error)
	inc     func(r *reference, key string, delta int64, ttl time.Duration) (int64, error)
	getMany func(r *reference, keys []string) ([][]byte, error)
	setMany func(r *reference, items []driver.Item, ttl time.Duration) error
	delMany func(r *reference, keys []string) ([]bool, error)
	clear   func(r *reference) error
	prefix  func(r *reference, prefix string) error
	close   func(r *reference) error
	lease   func(r *reference, key string, hold time.Duration) ([]byte, bool, string, error)
	fill    func(r *reference, key, token string, value []byte, ttl time.Duration) (bool, error)
	release func(r *reference, key, token string) error
	swap    func(r *reference, key string, old, value []byte, ttl time.Duration) (bool, error)
	ping    func(r *reference) error
	append  func(r *reference, key string, dst []byte) ([]byte, bool, error)
	oneTTL  func(r *reference, key string) ([]byte, time.Duration, bool, error)
	allTTLs func(r *reference, keys []string) ([][]byte, []time.Duration, error)
	watch   func(ctx context.Context, r *reference, prefix string, grace time.Duration, notices driver.Notices) error
	stats   func(r *reference) (driver.Stats, error)
	scan    func(ctx context.Context, r *reference, prefix string) iter.Seq2[driver.Entry, error]
}

var gaps atomic.Uint32

// gap separates the two steps of a racy mutant. It sometimes sleeps, because on a
// busy machine one goroutine may otherwise end before the next one begins.
func gap() {
	if gaps.Add(1)%8 == 0 {
		time.Sleep(100 * time.Microsecond)
		return
	}
	runtime.Gosched()
}

func (m *mutant) CopiesValues() bool { return m.copies }

// alone makes a replaced method atomic.
func (m *mutant) alone() (done func()) {
	if m.racy || m.step == nil {
		return func() {}
	}
	m.step.Lock()
	return m.step.Unlock
}

func (m *mutant) k(key string) string {
	if m.key != nil {
		return m.key(key)
	}
	return key
}

func (m *mutant) life(ttl time.Duration) time.Duration {
	if m.ttl != nil {
		return m.ttl(ttl)
	}
	return ttl
}

func (m *mutant) Get(ctx context.Context, key string) ([]byte, bool, error) {
	defer m.alone()()
	if m.get != nil {
		return m.get(m.reference, m.k(key))
	}
	return m.reference.Get(ctx, m.k(key))
}

func (m *mutant) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	defer m.alone()()
	if m.set != nil {
		return m.set(m.reference, m.k(key), value, m.life(ttl))
	}
	return m.reference.Set(ctx, m.k(key), value, m.life(ttl))
}

func (m *mutant) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	defer m.alone()()
	if m.add != nil {
		return m.add(m.reference, m.k(key), value, m.life(ttl))
	}
	return m.reference.Add(ctx, m.k(key), value, m.life(ttl))
}

func (m *mutant) Delete(ctx context.Context, key string) (bool, error) {
	defer m.alone()()
	if m.del != nil {
		return m.del(m.reference, m.k(key))
	}
	return m.reference.Delete(ctx, m.k(key))
}

func (m *mutant) Has(ctx context.Context, key string) (bool, error) {
	defer m.alone()()
	if m.has != nil {
		return m.has(m.reference, m.k(key))
	}
	return m.reference.Has(ctx, m.k(key))
}

func (m *mutant) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	defer m.alone()()
	if m.inc != nil {
		return m.inc(m.reference, m.k(key), delta, m.life(ttl))
	}
	return m.reference.Inc(ctx, m.k(key), delta, m.life(ttl))
}

func (m *mutant) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	defer m.alone()()
	if m.left != nil {
		return m.left(m.reference, m.k(key))
	}
	return m.reference.TTL(ctx, m.k(key))
}

func (m *mutant) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if m.getMany != nil {
		defer m.alone()()
		return m.getMany(m.reference, keys)
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		value, ok, err := m.Get(ctx, key)
		if err != nil {
			return values, err
		}
		if ok {
			values[i] = value
		}
	}
	return values, nil
}

func (m *mutant) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	if m.setMany != nil {
		defer m.alone()()
		return m.setMany(m.reference, items, ttl)
	}
	var failed driver.BatchError
	for _, item := range items {
		if err := m.Set(ctx, item.Key, item.Value, ttl); err != nil {
			failed.Fail(item.Key, err)
		}
	}
	return failed.ErrorOrNil()
}

func (m *mutant) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	if m.delMany != nil {
		defer m.alone()()
		return m.delMany(m.reference, keys)
	}
	deleted := make([]bool, len(keys))
	for i, key := range keys {
		var err error
		if deleted[i], err = m.Delete(ctx, key); err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

func (m *mutant) Clear(ctx context.Context) error {
	defer m.alone()()
	if m.clear != nil {
		return m.clear(m.reference)
	}
	return m.reference.Clear(ctx)
}

func (m *mutant) ClearPrefix(ctx context.Context, prefix string) error {
	defer m.alone()()
	if m.prefix != nil {
		return m.prefix(m.reference, prefix)
	}
	return m.reference.ClearPrefix(ctx, m.k(prefix))
}

func (m *mutant) Ping(ctx context.Context) error {
	if m.ping != nil {
		return m.ping(m.reference)
	}
	return m.reference.Ping(ctx)
}

func (m *mutant) Close() error {
	if m.close != nil {
		return m.close(m.reference)
	}
	return m.reference.Close()
}

var ctx = context.Background()

// largest is the limit of values in these tests: small, for speed.
const largest = 264 << 10

// mutants have one defect each. Rule must fail; the rules in also may fail because
// of the same defect, and no other rule may.
var mutants = slices.Concat(mutantsOfOperations, mutantsOfSequences)

type defect struct {
	defect string
	rule   string
	also   []string
	mutant mutant
}

var mutantsOfOperations = []defect{
	{"Set keeps the old TTL", "BAS-3", []string{"BAT-11"}, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			if left, ok, _ := r.TTL(ctx, key); ok {
				ttl = left
			}
			return r.Set(ctx, key, value, ttl)
		}}},
	{"Add treats expired entries as present", "ADD-3", []string{"BAS-13"}, mutant{
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			r.mu.Lock()
			_, present := r.entries[key]
			r.mu.Unlock()
			if present {
				return false, nil
			}
			return r.Add(ctx, key, value, ttl)
		}}},
	{"Add replaces a present entry", "ADD-2", []string{"ADD-4"}, mutant{
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			_, present, err := r.Get(ctx, key)
			return !present, errors.Join(err, r.Set(ctx, key, value, ttl))
		}}},
	{"Add checks and then sets", "ADD-5", nil, mutant{racy: true,
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			if _, present, err := r.Get(ctx, key); present || err != nil {
				return false, err
			}
			gap()
			return true, r.Set(ctx, key, value, ttl)
		}}},
	{"Add extends the TTL of a present entry", "ADD-2", nil, mutant{
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			if old, present, err := r.Get(ctx, key); present || err != nil {
				return false, errors.Join(err, r.Set(ctx, key, old, ttl))
			}
			return r.Add(ctx, key, value, ttl)
		}}},
	{"Add treats an empty value as absent", "ADD-4", nil, mutant{
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			if old, present, err := r.Get(ctx, key); present && len(old) == 0 && err == nil {
				return true, r.Set(ctx, key, value, ttl)
			}
			return r.Add(ctx, key, value, ttl)
		}}},
	{"Add stores the value and then the TTL", "TTL-16", nil, mutant{racy: true,
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			added, err := r.Add(ctx, key, value, 0)
			if !added || err != nil {
				return added, err
			}
			time.Sleep(10 * time.Microsecond)
			return true, r.Set(ctx, key, value, ttl)
		}}},
	{"Add shows the value of a loser", "ADD-7", nil, mutant{racy: true,
		add: func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
			r.mu.Lock()
			old, present := r.live(key)
			r.mu.Unlock()
			if !present {
				return r.Add(ctx, key, value, ttl)
			}
			err := r.Set(ctx, key, value, ttl)
			time.Sleep(50 * time.Microsecond)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.entries[key] = old
			return false, err
		}}},
	{"Has stores the entry again", "BAS-9", nil, mutant{
		has: func(r *reference, key string) (bool, error) {
			value, ok, err := r.Get(ctx, key)
			if ok {
				err = r.Set(ctx, key, value, 2*time.Hour)
			}
			return ok, err
		}}},
	{"Has appends to the value", "BAS-7", []string{"KEY-2", "KEY-3", "KEY-4", "KEY-5", "KEY-6", "KEY-7", "KEY-8", "KEY-9", "KEY-10", "KEY-12", "KEY-16", "KEY-17", "KEY-18", "KEY-20"}, mutant{
		has: func(r *reference, key string) (bool, error) {
			value, ok, err := r.Get(ctx, key)
			left, _, _ := r.TTL(ctx, key)
			if ok {
				err = r.Set(ctx, key, append(bytes.Clone(value), ' '), left)
			}
			return ok, err
		}}},
	{"Has treats expired entries as present", "BAS-13", nil, mutant{
		has: func(r *reference, key string) (bool, error) {
			defer r.mu.Unlock()
			if err := r.enter(); err != nil {
				return false, err
			}
			_, ok := r.entries[key]
			return ok, nil
		}}},
	{"Get returns expired entries", "BAS-12", []string{"ADD-2", "BAS-3", "BAS-9", "BAS-13", "BAT-11", "TTL-6", "TTL-7", "TTL-8", "TTL-9", "TTL-15", "TTL-18"}, mutant{
		get: func(r *reference, key string) ([]byte, bool, error) {
			defer r.mu.Unlock()
			if err := r.enter(); err != nil {
				return nil, false, err
			}
			e, ok := r.entries[key]
			return e.value, ok, nil
		}}},
	{"Get returns the previous value once", "BAS-11", []string{"BAS-3", "BAT-11", "CNT-2", "KEY-2", "KEY-3", "KEY-4", "KEY-5", "KEY-6", "KEY-7", "KEY-8", "KEY-9", "KEY-10", "KEY-12", "KEY-16", "KEY-17", "KEY-18", "KEY-20", "VAL-15"}, mutant{build: behind}},
	{"a miss is an error", "BAS-2", []string{"ADD-2", "BAS-3", "BAS-5", "BAS-6", "BAS-7", "BAS-9", "BAS-11", "BAS-12", "BAS-13", "BAT-1", "BAT-2", "BAT-4", "BAT-5", "BAT-6", "BAT-7", "BAT-9", "BAT-10", "BAT-11", "CLR-1", "CLR-2", "CLR-4", "CLR-5", "DEL-2", "KEY-4", "KEY-9", "KEY-13", "KEY-14", "KEY-15", "KEY-19", "TTL-4", "TTL-6", "TTL-7", "TTL-8", "TTL-9", "TTL-15", "TTL-18", "VAL-5", "VAL-13", "VAL-14", "KEY-2", "KEY-3", "KEY-5", "KEY-6", "KEY-7", "KEY-8", "KEY-10", "KEY-12", "KEY-16", "KEY-17", "KEY-18", "KEY-20"}, mutant{
		get: func(r *reference, key string) ([]byte, bool, error) {
			value, ok, err := r.Get(ctx, key)
			if !ok && err == nil {
				err = errors.New("not found")
			}
			return value, ok, err
		}}},
	{"an empty value is a miss", "VAL-1", []string{"ADD-4", "BAS-8", "BAT-1", "CLR-2", "CNT-3", "VAL-2", "VAL-11"}, mutant{
		get: func(r *reference, key string) ([]byte, bool, error) {
			value, ok, err := r.Get(ctx, key)
			return value, ok && len(value) > 0, err
		}}},
	{"a nil value is not stored", "VAL-2", nil, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			if value == nil {
				return nil
			}
			return r.Set(ctx, key, value, ttl)
		}}},
	{"values are cut at a NUL", "VAL-3", []string{"CNT-3", "CTX-4", "ERR-2", "VAL-4", "VAL-5", "VAL-7", "BAT-7"}, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			if i := bytes.IndexByte(value, 0); i >= 0 {
				value = value[:i]
			}
			return r.Set(ctx, key, value, ttl)
		}}},
	{"values that begin like an envelope are decoded", "VAL-4", nil, mutant{
		get: func(r *reference, key string) ([]byte, bool, error) {
			value, ok, err := r.Get(ctx, key)
			if len(value) == 10 && value[0] == 255 && value[1] == 1 {
				value = value[2:]
			}
			return value, ok, err
		}}},
	{"the largest value loses a byte", "VAL-5", []string{"BAT-7", "ERR-2", "VAL-7"}, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			return r.Set(ctx, key, value[:min(len(value), largest-1)], ttl)
		}}},
	{"keys are folded to lower case", "BAS-6", []string{"KEY-5", "KEY-6", "KEY-12", "KEY-14"}, mutant{key: strings.ToLower}},
	{"keys are trimmed", "KEY-3", []string{"KEY-2", "KEY-12", "KEY-14"}, mutant{key: strings.TrimSpace}},
	{"keys are cleaned as paths", "KEY-10", nil, mutant{key: func(key string) string { return path.Clean(key) }}},
	{"keys are truncated to 250 bytes", "KEY-20", []string{"KEY-9"}, mutant{key: func(key string) string { return key[:min(len(key), 250)] }}},
	{"the length of a key wraps at 16 bits", "KEY-9", nil, mutant{key: func(key string) string { return key[:len(key)&0xffff] }}},
	{"invalid UTF-8 in keys is replaced", "KEY-6", nil, mutant{key: func(key string) string { return strings.ToValidUTF8(key, "\ufffd") }}},
	{"decomposed keys are composed", "KEY-5", nil, mutant{key: func(key string) string { return strings.ReplaceAll(key, "e\u0301", "\u00e9") }}},
	{"keys are hashed with MD5", "KEY-17", nil, mutant{key: hashed}},
	{"numeric keys are converted to integers", "KEY-18", nil, mutant{key: func(key string) string {
		if n, err := strconv.Atoi(key); err == nil {
			return strconv.Itoa(n)
		}
		return key
	}}},
	{"commands in keys are executed", "KEY-4", nil, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			if _, command, found := strings.Cut(key, "\r\nset "); found {
				victim, _, _ := strings.Cut(command, " ")
				return errors.Join(r.Set(ctx, victim, []byte("y"), 0), r.Set(ctx, key, value, ttl))
			}
			return r.Set(ctx, key, value, ttl)
		}}},
	{"__wz_cache_count is an internal entry", "KEY-12", nil, mutant{
		get: func(r *reference, key string) ([]byte, bool, error) {
			if strings.HasSuffix(key, "__wz_cache_count") {
				return []byte(strconv.Itoa(len(r.entries))), true, nil
			}
			return r.Get(ctx, key)
		}}},
	{"GetMany sorts the slice of its caller", "KEY-19", []string{"BAT-1"}, mutant{
		getMany: func(r *reference, keys []string) ([][]byte, error) {
			order := slices.Clone(keys)
			slices.Sort(keys)
			return r.GetMany(ctx, order)
		}}},
	{"ttl 0 is 300 s", "TTL-1", []string{"ADD-1", "ADD-2", "ADD-3", "BAS-3", "TTL-3", "TTL-15", "BAT-11", "CLR-1"}, mutant{ttl: func(ttl time.Duration) time.Duration {
		if ttl == 0 {
			return 300 * time.Second
		}
		return ttl
	}}},
	{"the expiry is truncated to the second", "TTL-5", nil, mutant{ttl: func(ttl time.Duration) time.Duration {
		if ttl != time.Second {
			return ttl
		}
		return time.Until(time.Now().Add(ttl).Truncate(time.Second))
	}}},
	{"a TTL under a second never expires", "TTL-7", nil, mutant{ttl: func(ttl time.Duration) time.Duration {
		if ttl == 500*time.Millisecond {
			return 0
		}
		return ttl
	}}},
	{"a TTL is truncated to whole seconds", "TTL-8", nil, mutant{ttl: func(ttl time.Duration) time.Duration {
		if ttl > time.Second {
			return ttl.Truncate(time.Second)
		}
		return ttl
	}}},
	{"microseconds are dropped", "TTL-9", nil, mutant{ttl: func(ttl time.Duration) time.Duration {
		if ttl < time.Millisecond {
			return 0
		}
		return ttl
	}}},
	{"entries expire a little late", "TTL-6", []string{"ADD-2", "ADD-3", "BAS-3", "BAS-9", "BAS-12", "BAS-13", "BAT-11", "DEL-1", "TTL-15", "TTL-18"}, mutant{ttl: func(ttl time.Duration) time.Duration {
		if ttl == 60*time.Millisecond {
			return ttl + 5*time.Millisecond
		}
		return ttl
	}}},
	{"more than 30 days is a date", "TTL-10", nil, mutant{ttl: func(ttl time.Duration) time.Duration {
		if ttl > 30*24*time.Hour && ttl < 31*24*time.Hour {
			return 1
		}
		return ttl
	}}},
	{"dates wrap in 2038", "TTL-11", nil, mutant{ttl: func(ttl time.Duration) time.Duration {
		if time.Now().Add(ttl).Unix() > math.MaxInt32 && ttl < 50*365*24*time.Hour {
			return 1
		}
		return ttl
	}}},
	{"dates wrap in 2106", "TTL-12", nil, mutant{ttl: func(ttl time.Duration) time.Duration {
		if time.Now().Add(ttl).Unix() > math.MaxUint32-40*365*24*3600 && ttl < 200*365*24*time.Hour {
			return 1
		}
		return ttl
	}}},
	{"the expiry overflows", "TTL-13", nil, mutant{ttl: func(ttl time.Duration) time.Duration {
		if ttl > math.MaxInt64-time.Duration(time.Now().UnixNano()) {
			return 1
		}
		return ttl
	}}},
	{"GetMany returns expired entries", "TTL-18", []string{"BAS-13", "TTL-6"}, mutant{
		getMany: func(r *reference, keys []string) ([][]byte, error) {
			values := make([][]byte, len(keys))
			defer r.mu.Unlock()
			if err := r.enter(); err != nil {
				return values, err
			}
			for i, key := range keys {
				values[i] = r.entries[key].value
			}
			return values, nil
		}}},
	{"GetMany returns the hits without their positions", "BAT-1", []string{"BAT-2", "BAT-4", "TTL-18"}, mutant{
		getMany: func(r *reference, keys []string) ([][]byte, error) {
			values, err := r.GetMany(ctx, keys)
			hits := slices.DeleteFunc(values, func(v []byte) bool { return v == nil })
			return append(hits, make([][]byte, len(keys)-len(hits))...), err
		}}},
	{"GetMany returns a repeated key once", "BAT-2", []string{"VAL-10"}, mutant{
		getMany: func(r *reference, keys []string) ([][]byte, error) {
			values, err := r.GetMany(ctx, keys)
			for i := range keys {
				if slices.Contains(keys[:i], keys[i]) {
					values[i] = nil
				}
			}
			return values, err
		}}},
	{"GetMany fails if all keys are absent", "BAT-4", []string{"BAT-9", "CLR-4", "CLR-5", "TTL-6"}, mutant{
		getMany: func(r *reference, keys []string) ([][]byte, error) {
			values, err := r.GetMany(ctx, keys)
			if len(keys) > 1 && err == nil && !slices.ContainsFunc(values, func(v []byte) bool { return v != nil }) {
				err = errors.New("nothing found")
			}
			return values, err
		}}},
	{"GetMany stops at 1000 keys", "BAT-9", nil, mutant{
		getMany: func(r *reference, keys []string) ([][]byte, error) {
			values, err := r.GetMany(ctx, keys[:min(len(keys), 1000)])
			return append(values, make([][]byte, len(keys)-len(values))...), err
		}}},
	{"SetMany hides its failures", "BAT-7", nil, mutant{
		setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
			err := r.SetMany(ctx, items, ttl)
			var batch *driver.BatchError
			if errors.As(err, &batch) {
				return nil
			}
			return err
		}}},
	{"SetMany drops the ttl", "BAT-11", []string{"BAT-9", "TTL-6"}, mutant{
		setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
			return r.SetMany(ctx, items, 0)
		}}},
	{"DeleteMany returns results in another order", "BAT-10", []string{"BAT-2"}, mutant{
		delMany: func(r *reference, keys []string) ([]bool, error) {
			deleted, err := r.DeleteMany(ctx, keys)
			slices.Reverse(deleted)
			return deleted, err
		}}},
	{"DeleteMany stops at 100 keys", "BAT-13", []string{"BAT-9"}, mutant{
		delMany: func(r *reference, keys []string) ([]bool, error) {
			deleted, err := r.DeleteMany(ctx, keys[:min(len(keys), 100)])
			return append(deleted, make([]bool, len(keys)-len(deleted))...), err
		}}},
	{"Delete is true for absent keys", "DEL-1", []string{"BAS-13", "BAT-2", "BAT-4", "BAT-10", "DEL-2", "CLR-1"}, mutant{
		del: func(r *reference, key string) (bool, error) {
			_, err := r.Delete(ctx, key)
			return err == nil, err
		}}},
	{"Delete leaves an empty entry", "DEL-2", append([]string{"ADD-1", "BAS-5", "BAS-11", "BAT-9", "BAT-10"}, keyRules...), mutant{
		del: func(r *reference, key string) (bool, error) {
			deleted, err := r.Delete(ctx, key)
			if deleted {
				err = r.Set(ctx, key, nil, time.Hour)
			}
			return deleted, err
		}}},
	{"Delete removes a similar key too", "BAS-5", []string{"BAT-10", "KEY-2"}, mutant{
		del: func(r *reference, key string) (bool, error) {
			deleted, err := r.Delete(ctx, key)
			if strings.HasSuffix(key, "a") {
				_, other := r.Delete(ctx, strings.TrimSuffix(key, "a")+"b")
				err = errors.Join(err, other)
			}
			return deleted, err
		}}},
	{"Clear leaves entries that never expire", "CLR-5", []string{"CLR-1"}, mutant{
		clear: func(r *reference) error {
			defer r.mu.Unlock()
			if err := r.enter(); err != nil {
				return err
			}
			maps.DeleteFunc(r.entries, func(_ string, e entry) bool { return !e.expires.IsZero() })
			return nil
		}}},
	{"Clear of an empty store is an error", "CLR-1", nil, mutant{
		clear: func(r *reference) error {
			r.mu.Lock()
			empty := len(r.entries) == 0 && !r.closed
			r.mu.Unlock()
			if empty {
				return errors.New("nothing to clear")
			}
			return r.Clear(ctx)
		}}},
	{"ClearPrefix clears everything", "CLR-2", []string{"CLR-1", "CLR-4", "CLR-5", "KEY-14", "KEY-15"}, mutant{
		prefix: func(r *reference, _ string) error { return r.Clear(ctx) }}},
	{"ClearPrefix treats the prefix as a pattern", "KEY-15", nil, mutant{
		prefix: func(r *reference, prefix string) error {
			defer r.mu.Unlock()
			if err := r.enter(); err != nil {
				return err
			}
			maps.DeleteFunc(r.entries, func(key string, _ entry) bool {
				match, _ := path.Match(prefix+"*", key)
				return match || strings.HasPrefix(key, prefix)
			})
			return nil
		}}},
	{"ClearPrefix stops after 1000 entries", "CLR-4", nil, mutant{
		prefix: func(r *reference, prefix string) error {
			defer r.mu.Unlock()
			if err := r.enter(); err != nil {
				return err
			}
			left := 1000
			maps.DeleteFunc(r.entries, func(key string, _ entry) bool {
				if !strings.HasPrefix(key, prefix) || left == 0 {
					return false
				}
				left--
				return true
			})
			return nil
		}}},
	{"Inc starts at 0", "CNT-1", nil, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			if _, err := r.Add(ctx, key, []byte("0"), ttl); err != nil {
				return 0, err
			}
			if value, _, _ := r.Get(ctx, key); string(value) == "0" && delta == 5 {
				return 0, nil
			}
			return r.Inc(ctx, key, delta, ttl)
		}}},
	{"Inc loses updates", "CNT-6", nil, mutant{racy: true,
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			before, present, err := r.Get(ctx, key)
			if !present || err != nil {
				return r.Inc(ctx, key, delta, ttl)
			}
			r.mu.Lock()
			old := r.entries[key]
			r.mu.Unlock()
			gap()
			r.mu.Lock()
			r.entries[key] = entry{value: before, expires: old.expires}
			r.mu.Unlock()
			return r.Inc(ctx, key, delta, ttl)
		}}},
	{"Inc counts a text from 0", "CNT-3", []string{"ERR-2"}, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			sum, err := r.Inc(ctx, key, delta, ttl)
			if value, _, _ := r.Get(ctx, key); errors.Is(err, driver.ErrNotInteger) && string(value) == "text" {
				return delta, r.Set(ctx, key, []byte(strconv.FormatInt(delta, 10)), ttl)
			}
			return sum, err
		}}},
	{"Inc wraps", "CNT-4", nil, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			value, _, err := r.Get(ctx, key)
			if n, e := strconv.ParseInt(string(value), 10, 64); e == nil && err == nil {
				sum := n + delta
				left, _, _ := r.TTL(ctx, key)
				if (sum > n) != (delta > 0) {
					return sum, r.Set(ctx, key, strconv.AppendInt(nil, sum, 10), left)
				}
			}
			return r.Inc(ctx, key, delta, ttl)
		}}},
	{"Inc stops at 0", "CNT-5", nil, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			if value, _, _ := r.Get(ctx, key); string(value) == "0" && delta == -1 {
				return 0, nil
			}
			return r.Inc(ctx, key, delta, ttl)
		}}},
	{"Inc leaves a trailing space", "CNT-2", nil, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			sum, err := r.Inc(ctx, key, delta, ttl)
			if left, _, _ := r.TTL(ctx, key); err == nil && sum == 99 && delta == -1 {
				err = r.Set(ctx, key, []byte("99 "), left)
			}
			return sum, err
		}}},
	{"Inc resets the TTL", "TTL-15", nil, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			sum, err := r.Inc(ctx, key, delta, ttl)
			if err == nil {
				err = r.Set(ctx, key, strconv.AppendInt(nil, sum, 10), ttl)
			}
			return sum, err
		}}},
	{"an error quotes the value", "ERR-5", nil, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			sum, err := r.Inc(ctx, key, delta, ttl)
			if errors.Is(err, driver.ErrNotInteger) {
				value, _, _ := r.Get(ctx, key)
				err = fmt.Errorf("%w: %s", err, value)
			}
			return sum, err
		}}},
	{"errors wrap two sentinels", "ERR-2", nil, mutant{
		inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			sum, err := r.Inc(ctx, key, delta, ttl)
			if errors.Is(err, driver.ErrNotInteger) {
				err = fmt.Errorf("%w or %w", driver.ErrNotInteger, driver.ErrTooLarge)
			}
			return sum, err
		}}},
	{"values are written in two steps", "CON-2", nil, mutant{racy: true,
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			half := bytes.Clone(value)
			if len(value) == 256<<10 {
				clear(half[len(half)/2:])
			}
			err := r.Set(ctx, key, half, ttl)
			gap()
			return errors.Join(err, r.Set(ctx, key, value, ttl))
		}}},
	{"Close twice is an error", "CLO-1", []string{"CLO-2", "ERR-2"}, mutant{
		close: func(r *reference) error {
			if r.Ping(ctx) != nil {
				return errors.New("client is closed")
			}
			return r.Close()
		}}},
	{"the backend works after Close", "CLO-2", []string{"ERR-2"}, mutant{
		close: func(*reference) error { return nil }}},
	{"Delete checks and then removes", "CON-3", nil, mutant{racy: true,
		del: func(r *reference, key string) (bool, error) {
			present, err := r.Has(ctx, key)
			if err != nil {
				return false, err
			}
			gap()
			_, err = r.Delete(ctx, key)
			return present, err
		}}},
	{"Get panics on a key of another script", "KEY-5", nil, mutant{
		get: func(r *reference, key string) ([]byte, bool, error) {
			if strings.HasSuffix(key, "ключ") {
				panic("index out of range")
			}
			return r.Get(ctx, key)
		}}},
	{"copies are declared but not made", "VAL-8", []string{"VAL-9", "VAL-10"}, mutant{copies: true}},
	{"copies are declared but made only by Set and Add", "VAL-9", []string{"VAL-10"}, mutant{copies: true,
		set: setCopy,
		add: addCopy}},
	{"copies are declared but not made by GetMany", "VAL-10", nil, mutant{copies: true,
		get:     getCopy,
		set:     setCopy,
		add:     addCopy,
		getMany: func(r *reference, keys []string) ([][]byte, error) { return r.GetMany(ctx, keys) }}},
	{"a cancelled Set leaves a part of the value", "CTX-4", nil, mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			if len(value) == 256<<10 && value[10]%4 == 0 {
				value = value[:100]
			}
			return r.Set(ctx, key, value, ttl)
		}}},
}

// getCopy, setCopy and addCopy share no memory with their callers.
func getCopy(r *reference, key string) ([]byte, bool, error) {
	value, ok, err := r.Get(ctx, key)
	return bytes.Clone(value), ok, err
}

func setCopy(r *reference, key string, value []byte, ttl time.Duration) error {
	return r.Set(ctx, key, bytes.Clone(value), ttl)
}

func addCopy(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
	return r.Add(ctx, key, bytes.Clone(value), ttl)
}

// behind returns the previous value from the first Get after a Set.
func behind() mutant {
	var old sync.Map
	return mutant{
		set: func(r *reference, key string, value []byte, ttl time.Duration) error {
			if before, present, _ := r.Get(ctx, key); present {
				old.Store(key, before)
			}
			return r.Set(ctx, key, value, ttl)
		},
		get: func(r *reference, key string) ([]byte, bool, error) {
			if before, has := old.LoadAndDelete(key); has {
				return before.([]byte), true, nil
			}
			return r.Get(ctx, key)
		},
	}
}

func hashed(key string) string {
	if !strings.Contains(key, "TEXTCOLL") {
		return key
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(key)))
}

// harness returns the harness of m in a bubble.
func (m mutant) harness() conformance.Harness {
	return conformance.Harness{
		New: func(*testing.T) driver.Backend {
			b := m
			if b.build != nil {
				b = b.build()
			}
			b.reference, b.step = newReference(), new(sync.Mutex)
			b.reference.largest = largest
			return &b
		},
		Limits:      conformance.Limits{MaxValue: largest},
		Bubble:      true,
		Unsupported: map[conformance.Feature]string{conformance.Threshold: "not in this test"},
	}
}

func TestMutants(t *testing.T) {
	skipUnderRace(t)
	for _, m := range mutants {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			caught(t, m.rule, m.also, m.mutant.harness())
		})
	}
}

// caught checks that a harness's backend breaks rule, and no rule but those in also.
func caught(t *testing.T, rule string, also []string, h conformance.Harness) {
	t.Helper()
	concerned := func(c conformance.Case) bool {
		return c.ID == rule || !slices.Contains(withChance, c.ID) && !strings.HasPrefix(c.ID, "SCN") // Scan shows the defects of all operations
	}
	report := conformance.VerdictsOn(t, h, rule, concerned)
	if slices.Contains(withChance, rule) { // it finds a defect in most runs, not in each
		for range 3 {
			if slices.Contains(report.Failing(), rule) {
				break
			}
			report = conformance.VerdictsOn(t, h, rule, concerned)
		}
	}
	check(t, report, rule, also)
}

// anyRule stands for all rules: a defect that shows after some milliseconds breaks
// others on a busy machine.
const anyRule = "any"

// withChance are the cases that take most of the time and may find the defect of
// another rule: those with concurrent callers or random steps, and those that combine
// all operations. They run only over their own mutants.
var withChance = []string{
	"ADD-5", "ADD-6", "ADD-7", "APP-2", "BAS-14", "CLO-3", "CLR-8", "CNT-6", "CON-1", "CON-2", "CON-3", "CON-4", "CON-5", "CON-6", "LIF-2", "LSE-1", "LSE-8", "LSE-19", "PER-2", "SCN-7", "SCN-8", "STA-6", "SWP-4", "TTL-16",
	"MOD-1", "MOD-2", "VAL-18",
}

func check(t *testing.T, report conformance.Report, rule string, also []string) {
	t.Helper()
	failing := report.Failing()
	if !slices.Contains(failing, rule) {
		t.Errorf("%s did not fail; these did: %q", rule, failing)
	}
	for _, id := range failing {
		if id != rule && !slices.Contains(also, id) && !slices.Contains(also, anyRule) && !usesOthers(rule, id) {
			t.Errorf("%s failed too: %s", id, report.Reason(id))
		}
	}
}

// TestMutantsOfStores has defects in the harness's Stores.
func TestMutantsOfStores(t *testing.T) {
	skipUnderRace(t)
	checkThenSet := func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
		if _, present, err := r.Get(ctx, key); present || err != nil {
			return false, err
		}
		gap()
		return true, r.Set(ctx, key, value, ttl)
	}
	full := func(r *reference) bool { return len(r.entries) >= r.most }
	for _, m := range []struct {
		defect  string
		rule    string
		also    []string
		reopen  func(first *reference) driver.Backend
		bounded func(most int) driver.Backend
	}{
		{"Close loses the TTL", "PER-1", nil, func(first *reference) driver.Backend {
			for key, e := range first.entries {
				first.entries[key] = entry{value: e.value}
			}
			return first.reopen()
		}, nil},
		{"a second handle has a snapshot", "PER-2", nil, func(first *reference) driver.Backend {
			r := newReference()
			r.entries = maps.Clone(first.entries)
			return r
		}, nil},
		{"a second handle checks and then sets", "ADD-6", nil, func(first *reference) driver.Backend {
			return &mutant{reference: first.reopen(), add: checkThenSet}
		}, nil},
		{"a second handle does not see Clear", "PER-2", nil, func(first *reference) driver.Backend {
			return &mutant{reference: first.reopen(), clear: func(r *reference) error { return r.Ping(ctx) }}
		}, nil},
		{"a handle keeps what it has read", "PER-2", nil, func(first *reference) driver.Backend {
			var read sync.Map
			return &mutant{reference: first.reopen(), get: func(r *reference, key string) ([]byte, bool, error) {
				if value, ok := read.Load(key); ok && r.Ping(ctx) == nil {
					return value.([]byte), true, nil
				}
				value, ok, err := r.Get(ctx, key)
				if ok {
					read.Store(key, value)
				}
				return value, ok, err
			}}
		}, nil},
		{"Close of a handle closes the one from which it was opened", "PER-2", []string{"PER-1"}, func(first *reference) driver.Backend {
			r := first.reopen()
			return &mutant{reference: r, close: func(*reference) error {
				first.Close()
				return r.Close()
			}}
		}, nil},
		{"a further handle revives expired entries", "MOD-2", []string{"PER-1"}, func(first *reference) driver.Backend {
			for key, e := range first.entries {
				if _, live := first.live(key); !live {
					first.entries[key] = entry{value: e.value}
				}
			}
			return first.reopen()
		}, nil},
		{"a further handle finds deleted entries", "MOD-1", nil, reviving(), nil},
		{"a further handle works after Close", "PER-2", nil, func(first *reference) driver.Backend {
			return &mutant{reference: first.reopen(), close: func(*reference) error { return nil }}
		}, nil},
		{"a further handle checks and then deletes", "CON-3", nil, func(first *reference) driver.Backend {
			return &mutant{reference: first.reopen(), del: func(r *reference, key string) (bool, error) {
				present, err := r.Has(ctx, key)
				gap()
				_, errDelete := r.Delete(ctx, key)
				return present, errors.Join(err, errDelete)
			}}
		}, nil},
		{"a further handle writes in two steps", "CON-2", nil, func(first *reference) driver.Backend {
			return &mutant{reference: first.reopen(), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				half := bytes.Clone(value)
				clear(half[len(half)/2:])
				err := r.Set(ctx, key, half, ttl)
				gap()
				return errors.Join(err, r.Set(ctx, key, value, ttl))
			}}
		}, nil},
		{"deleted entries still count", "EVI-6", nil, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), step: new(sync.Mutex), del: func(r *reference, key string) (bool, error) {
				deleted, err := r.Delete(ctx, key)
				if deleted && r.most > 10 {
					r.most--
				}
				return deleted, err
			}}
		}},
		{"Inc in a full store stores nothing", "EVI-4", nil, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), step: new(sync.Mutex), inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
				if _, present := r.entries[key]; !present && full(r) {
					return delta, nil
				}
				return r.Inc(ctx, key, delta, ttl)
			}}
		}},
		{"nothing is evicted", "EVI-1", []string{"STA-5"}, nil, func(int) driver.Backend { return newReference() }},
		{"the bound holds for Set alone", "EVI-1", nil, nil, func(most int) driver.Backend {
			add := func(r *reference, key string, value []byte, ttl time.Duration) (bool, error) {
				r.most = 0
				defer func() { r.most = most }()
				return r.Add(ctx, key, value, ttl)
			}
			return &mutant{reference: newBounded(most), step: new(sync.Mutex), add: add}
		}},
		{"the bound does not hold for SetMany", "EVI-1", nil, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), step: new(sync.Mutex), setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
				r.most = 0
				defer func() { r.most = most }()
				return r.SetMany(ctx, items, ttl)
			}}
		}},
		{"an overwrite in a full store evicts another entry", "EVI-6", nil, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), step: new(sync.Mutex), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				if _, present := r.entries[key]; present && full(r) {
					for other := range r.entries {
						if other != key {
							delete(r.entries, other)
							break
						}
					}
				}
				return r.Set(ctx, key, value, ttl)
			}}
		}},
		{"Inc in a full store evicts another entry", "EVI-6", nil, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), step: new(sync.Mutex), inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
				for other := range r.entries {
					if other != key && full(r) {
						delete(r.entries, other)
						break
					}
				}
				return r.Inc(ctx, key, delta, ttl)
			}}
		}},
		{"entries that never expire are evicted first", "EVI-2", []string{"EVI-5"}, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				for key, e := range r.entries {
					if full(r) && e.expires.IsZero() {
						delete(r.entries, key)
					}
				}
				return r.Set(ctx, key, value, ttl)
			}}
		}},
		{"live entries are evicted before expired ones", "EVI-3", []string{"EVI-5", "EVI-6", "STA-5", "WAT-10"}, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				for key := range r.entries {
					if _, live := r.live(key); live && full(r) {
						delete(r.entries, key)
					}
				}
				return r.Set(ctx, key, value, ttl)
			}}
		}},
		{"a full store drops new entries", "EVI-4", []string{"EVI-3"}, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				if full(r) {
					return nil
				}
				return r.Set(ctx, key, value, ttl)
			}}
		}},
		{"evictions are not counted", "STA-5", nil, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), stats: func(r *reference) (driver.Stats, error) {
				s, err := r.Stats(ctx)
				s.Evictions = 0
				return s, err
			}}
		}},
		{"evictions are not reported", "WAT-10", nil, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				r.unnotified(func() {
					r.mu.Lock()
					defer r.mu.Unlock()
					if _, present := r.entries[key]; !present && full(r) {
						r.evict()
					}
				})
				return r.Set(ctx, key, value, ttl)
			}}
		}},
		{"each eviction scans all entries", "EVI-5", nil, nil, func(most int) driver.Backend {
			return &mutant{reference: newBounded(most), set: func(r *reference, key string, value []byte, ttl time.Duration) error {
				// A timer, because a busy machine would prolong the scan of a small store too.
				if scan := time.Duration(len(r.entries)) * time.Microsecond; scan > 100*time.Microsecond {
					time.Sleep(scan)
				}
				return r.Set(ctx, key, value, ttl)
			}}
		}},
	} {
		t.Run(m.defect, func(t *testing.T) {
			t.Parallel()
			h := conformance.Harness{
				New:    func(*testing.T) driver.Backend { return newReference() },
				Bubble: true,
				Stores: referenceStores,
			}
			if m.reopen != nil {
				h.Stores.Reopen = func(_ *testing.T, first driver.Backend) driver.Backend { return m.reopen(first.(*reference)) }
			}
			if m.bounded != nil {
				h.Stores.Bounded = func(_ *testing.T, most int) driver.Backend { return m.bounded(most) }
			}
			caught(t, m.rule, m.also, h)
		})
	}
}

// TestMutantsOfInvalidKeys has defects in batches with invalid keys.
func TestMutantsOfInvalidKeys(t *testing.T) {
	skipUnderRace(t)
	const longest = 100
	valid := func(key string) bool { return len(key) <= longest }
	setValid := func(r *reference, items []driver.Item, ttl time.Duration) error {
		return r.SetMany(ctx, slices.DeleteFunc(slices.Clone(items), func(item driver.Item) bool { return !valid(item.Key) }), ttl)
	}
	for _, m := range []struct {
		defect string // "" for none
		mutant mutant
	}{
		{"", mutant{}},
		{"SetMany stores the valid keys", mutant{
			setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
				err := r.SetMany(ctx, items, ttl)
				setValid(r, items, ttl)
				return err
			}}},
		{"SetMany names one invalid key", mutant{
			setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
				err := r.SetMany(ctx, items, ttl)
				var batch *driver.BatchError
				if errors.As(err, &batch) {
					batch.Failed = batch.Failed[:1]
				}
				return err
			}}},
		{"SetMany drops the invalid keys", mutant{setMany: setValid}},
		{"GetMany returns no results with an error", mutant{
			getMany: func(r *reference, keys []string) ([][]byte, error) {
				values, err := r.GetMany(ctx, keys)
				if err != nil {
					values = nil
				}
				return values, err
			}}},
		{"GetMany names every key", mutant{
			getMany: func(r *reference, keys []string) ([][]byte, error) {
				values, err := r.GetMany(ctx, keys)
				if err != nil {
					var failed driver.BatchError
					for _, key := range keys {
						failed.Fail(key, driver.ErrInvalidKey)
					}
					err = &failed
				}
				return values, err
			}}},
		{"DeleteMany removes the valid keys", mutant{
			delMany: func(r *reference, keys []string) ([]bool, error) {
				deleted, err := r.DeleteMany(ctx, keys)
				for _, key := range keys {
					r.Delete(ctx, key)
				}
				return deleted, err
			}}},
		{"DeleteMany does not name keys", mutant{
			delMany: func(r *reference, keys []string) ([]bool, error) {
				deleted, err := r.DeleteMany(ctx, keys)
				if err != nil {
					err = driver.ErrInvalidKey
				}
				return deleted, err
			}}},
	} {
		t.Run(cmp.Or(m.defect, "none"), func(t *testing.T) {
			h := conformance.Harness{
				New: func(*testing.T) driver.Backend {
					b := m.mutant
					b.reference, b.step = newReference(), new(sync.Mutex)
					b.longest = longest
					if b.getMany == nil {
						b.getMany = func(r *reference, keys []string) ([][]byte, error) { return r.GetMany(ctx, keys) }
					}
					if b.setMany == nil {
						b.setMany = func(r *reference, items []driver.Item, ttl time.Duration) error { return r.SetMany(ctx, items, ttl) }
					}
					if b.delMany == nil {
						b.delMany = func(r *reference, keys []string) ([]bool, error) { return r.DeleteMany(ctx, keys) }
					}
					return &b
				},
				Bubble: true,
				Limits: conformance.Limits{MaxKey: longest, RefusedKeys: []string{strings.Repeat("x", 2*longest)}},
			}
			report := conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "BAT-15" })
			if passes := report.Count(conformance.Pass) == 1; passes != (m.defect == "") {
				t.Errorf("passes: %v: %+v", passes, report.Results)
			}
		})
	}
}

// reviving returns a Stores.Reopen whose first handle keeps deleted entries, which the
// next one finds.
func reviving() func(first *reference) driver.Backend {
	deleted := sync.Map{} // by store, what was deleted
	return func(first *reference) driver.Backend {
		if kept, ok := deleted.LoadAndDelete(first.store); ok {
			for key, e := range kept.(map[string]entry) {
				first.entries[key] = e
			}
		}
		return &mutant{reference: first.reopen(), step: new(sync.Mutex), del: func(r *reference, key string) (bool, error) {
			e, present := r.live(key)
			ok, err := r.Delete(ctx, key)
			if present && err == nil {
				kept, _ := deleted.LoadOrStore(r.store, map[string]entry{})
				kept.(map[string]entry)[key] = e
			}
			return ok, err
		}}
	}
}

// TestMutantsWithGoroutines needs a harness without Bubble: a bubble does not end
// before its goroutines.
func TestMutantsWithGoroutines(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	leak := func() { go func() { <-end }() }
	for name, b := range map[string]*mutant{
		"Close":       {close: func(r *reference) error { leak(); return r.Close() }},
		"ClearPrefix": {prefix: func(r *reference, prefix string) error { leak(); return r.ClearPrefix(ctx, prefix) }},
		"Inc": {inc: func(r *reference, key string, delta int64, ttl time.Duration) (int64, error) {
			leak()
			return r.Inc(ctx, key, delta, ttl)
		}},
		"SetMany": {setMany: func(r *reference, items []driver.Item, ttl time.Duration) error {
			leak()
			return r.SetMany(ctx, items, ttl)
		}},
		"Reopen": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := conformance.Harness{
				New: func(*testing.T) driver.Backend {
					m := *b
					m.reference, m.step = newReference(), new(sync.Mutex)
					return &m
				},
				Isolated: true,
				Stores: conformance.Stores{Reopen: func(_ *testing.T, first driver.Backend) driver.Backend {
					if name == "Reopen" {
						leak()
					}
					m := *b
					m.reference, m.step = first.(*mutant).reopen(), new(sync.Mutex)
					return &m
				}},
				Unsupported: map[conformance.Feature]string{
					conformance.Threshold: "not in this test", conformance.Network: "a map",
				},
			}
			check(t, conformance.Verdicts(t, h, func(c conformance.Case) bool { return c.ID == "CON-5" }), "CON-5", nil)
		})
	}
}
