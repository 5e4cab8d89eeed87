package memcached

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// spreads runs a test with small chunks and each kind of client.
func spreads(t *testing.T, test func(t *testing.T, f *fake, b *Backend)) {
	small := Options{Spread: true, ChunkSize: 100, MaxChunks: 10}
	for name, protocol := range map[string]Protocol{"text": Text, "binary": Binary} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, nil)
			o := small
			o.Servers, o.Protocol = []string{f.addr}, protocol
			test(t, f, start(t, o))
		})
	}
	t.Run("borrowed", func(t *testing.T) {
		f := startFake(t, nil)
		test(t, f, borrow(t, f, small))
	})
}

// largeValue differs in each of its chunks.
func largeValue(size int) []byte {
	value := make([]byte, size)
	for i := range value {
		value[i] = byte(i/100 + i)
	}
	return value
}

func TestSpreadSizes(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		for _, size := range []int{0, 99, 100, 101, 199, 200, 201, 1000} {
			value := largeValue(size)
			must(t, b.Set(t.Context(), "k", value, time.Minute))
			b.mustGet(t, "k", string(value))
			values, err := b.GetMany(t.Context(), []string{"absent", "k"})
			if err != nil || values[0] != nil || !bytes.Equal(values[1], value) {
				t.Errorf("GetMany of %d bytes: %v", size, err)
			}
			if has, err := b.Has(t.Context(), "k"); !has || err != nil {
				t.Errorf("Has of %d bytes: %v, %v", size, has, err)
			}
			want := 1 + (size+99)/100
			if size <= 100 {
				want = 1
			}
			if n := len(f.keys()); n != want {
				t.Errorf("%d bytes are stored under %d keys; want %d: old chunks are removed", size, n, want)
			}
			if deleted, err := b.Delete(t.Context(), "k"); !deleted || err != nil {
				t.Errorf("Delete: %v, %v", deleted, err)
			}
			if left := f.keys(); len(left) > 0 {
				t.Errorf("Delete left %q", left)
			}
		}
		before := f.count("conns")
		if err := b.Set(t.Context(), "k", largeValue(1001), 0); !errors.Is(err, cache.ErrTooLarge) || !strings.Contains(err.Error(), "(max_chunks)") {
			t.Errorf("Set of more than all chunks: %v", err)
		}
		if len(f.keys()) > 0 || f.count("conns") != before {
			t.Error("something was written")
		}
	})
}

// The chunks of a value have a prefix only if its key has it.
func TestClearPrefixOfChunks(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		likeChunk := newIndex([]byte("v"), 1).chunks("a", nil)[0].Key // of an entry of its own
		for key, value := range map[string][]byte{"a": largeValue(450), "a~b": largeValue(450), "a~": nil, likeChunk: nil, "b": nil} {
			must(t, b.Set(t.Context(), key, value, 0))
		}
		if b.meta == nil {
			t.Skip("the server does not list its keys")
		}
		must(t, b.ClearPrefix(t.Context(), "a~"))
		b.mustGet(t, "a", string(largeValue(450)))
		if n := len(f.keys()); n != 1+5+1 {
			t.Errorf("left %q; want a, its 5 chunks, and b", f.keys())
		}
		must(t, b.ClearPrefix(t.Context(), "a"))
		if got := fmt.Sprint(f.keys()); got != "[b]" {
			t.Errorf("left %.200s", got)
		}
	})
}

func TestSpreadReplaces(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		for range 5 {
			must(t, b.Set(t.Context(), "k", largeValue(450), time.Minute))
		}
		if n := len(f.keys()); n != 6 {
			t.Errorf("%d keys after five large values; want the index and 5 chunks", n)
		}
		for _, key := range f.keys() {
			if e, _ := f.at(key); e.expiry != 62 && e.expiry != 122 || (e.expiry == 62) != (key == "k") {
				t.Errorf("%s has expiry %d; chunks must outlive their index", key, e.expiry)
			}
		}
		must(t, b.SetMany(t.Context(), []driver.Item{{Key: "k", Value: largeValue(250)}, {Key: "s", Value: []byte("small")}, {Key: "l", Value: largeValue(101)}}, 0))
		b.mustGet(t, "k", string(largeValue(250)))
		b.mustGet(t, "s", "small")
		b.mustGet(t, "l", string(largeValue(101)))
		if n := len(f.keys()); n != 1+3+1+1+2 {
			t.Errorf("%d keys after SetMany", n)
		}
		deleted, err := b.DeleteMany(t.Context(), []string{"k", "s", "l", "absent"})
		if fmt.Sprint(deleted) != "[true true true false]" || err != nil || len(f.keys()) > 0 {
			t.Errorf("DeleteMany = %v, %v and left %q", deleted, err, f.keys())
		}
	})
}

func TestSpreadAdd(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		for _, value := range [][]byte{[]byte("small"), largeValue(450)} {
			must(t, b.Set(t.Context(), "k", value, 0))
			n := len(f.keys())
			for _, other := range [][]byte{[]byte("other"), largeValue(300)} {
				if added, err := b.Add(t.Context(), "k", other, 0); added || err != nil {
					t.Errorf("Add of a present key: %v, %v", added, err)
				}
				// As if the key had been stored after Add had looked.
				items := []wire.Item{{Key: "k", Value: other}}
				if b.putLarge(t.Context(), wire.OpAdd, items); items[0].OK || items[0].Err != nil {
					t.Errorf("putLarge: %v, %v", items[0].OK, items[0].Err)
				}
			}
			b.mustGet(t, "k", string(value))
			if len(f.keys()) != n {
				t.Errorf("an Add that lost left %d keys", len(f.keys())-n)
			}
		}
		if added, err := b.Add(t.Context(), "new", largeValue(450), 0); !added || err != nil {
			t.Errorf("Add: %v, %v", added, err)
		}
		b.mustGet(t, "new", string(largeValue(450)))
		if _, err := b.Inc(t.Context(), "new", 1, 0); !errors.Is(err, cache.ErrNotInteger) {
			t.Errorf("Inc of a large value: %v", err)
		}
	})
}

// The server may evict a chunk at any time. Then the value is absent for every method.
func TestSpreadMissingChunk(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		for name, seen := range map[string]func() bool{
			"Get":     func() bool { _, ok, err := b.Get(t.Context(), "k"); must(t, err); return ok },
			"GetMany": func() bool { v, err := b.GetMany(t.Context(), []string{"k"}); must(t, err); return v[0] != nil },
			"Has":     func() bool { ok, err := b.Has(t.Context(), "k"); must(t, err); return ok },
			"Add":     func() bool { ok, err := b.Add(t.Context(), "k", []byte("v"), 0); must(t, err); return !ok },
		} {
			must(t, b.Set(t.Context(), "k", largeValue(450), 0))
			f.remove(f.keys()[3])
			_, isBorrowed := b.store.(borrowed)
			if isBorrowed && name == "Add" {
				continue // gomemcache cannot compare, so the index stays
			}
			if seen() {
				t.Errorf("%s finds a value of which a chunk is missing", name)
			}
			if _, there := f.at("k"); there && !isBorrowed && name != "Add" {
				t.Errorf("%s leaves an index without its chunks", name)
			}
		}
	})
}

func TestSpreadDamage(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		must(t, b.Set(t.Context(), "k", largeValue(450), 0))
		chunk := f.keys()[2]
		e, _ := f.at(chunk)
		index, _ := f.at("k")
		for name, damage := range map[string]func(){
			"a changed byte":   func() { f.store(chunk, entry{value: "X" + e.value[1:]}) },
			"a shorter chunk":  func() { f.store(chunk, entry{value: e.value[1:]}) },
			"a longer chunk":   func() { f.store(chunk, entry{value: e.value + "X"}) },
			"an empty index":   func() { f.store("k", entry{flags: flagSpread}) },
			"another version":  func() { f.store("k", entry{value: "\x02" + index.value[1:], flags: flagSpread}) },
			"an absurd length": func() { f.store("k", entry{value: "\x01\x7f" + index.value[2:], flags: flagSpread}) },
			"an absurd count":  func() { f.store("k", entry{value: index.value[:9] + "\x7f" + index.value[10:], flags: flagSpread}) },
			"no chunk size": func() {
				f.store("k", entry{value: index.value[:13] + "\x00\x00\x00\x00" + index.value[17:], flags: flagSpread})
			},
		} {
			f.store("k", entry{value: index.value, flags: flagSpread})
			f.store(chunk, entry{value: e.value})
			b.mustGet(t, "k", string(largeValue(450)))
			damage()
			if value, ok, err := b.Get(t.Context(), "k"); !errors.Is(err, cache.ErrCorrupt) || ok || value != nil {
				t.Errorf("%s: Get = %v, %v; want ErrCorrupt", name, ok, err)
			}
			if _, err := b.GetMany(t.Context(), []string{"k"}); !errors.Is(err, cache.ErrCorrupt) {
				t.Errorf("%s: GetMany: %v; want ErrCorrupt", name, err)
			}
		}
	})
}

// A value that is replaced while it is read is read again.
func TestSpreadReplacedMeanwhile(t *testing.T) {
	f := startFake(t, nil)
	o := Options{Servers: []string{f.addr}, Spread: true, ChunkSize: 100, MaxChunks: 10}
	b, other := start(t, o), start(t, o)
	must(t, b.Set(t.Context(), "k", largeValue(450), 0))
	var once sync.Once
	f.answers(func(_ int, command string) string {
		if strings.HasPrefix(command, "get k~") {
			once.Do(func() {
				go func() { must(t, other.Set(t.Context(), "k", largeValue(350), 0)) }()
				waitFor(t, "the old chunks to be removed", func() bool { return len(f.keys()) == 5 })
			})
		}
		return ""
	})
	b.mustGet(t, "k", string(largeValue(350)))
	plain := start(t, Options{Servers: []string{f.addr}})
	if _, _, err := plain.Get(t.Context(), "k"); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("Get of an index without Spread: %v; want ErrCorrupt", err)
	}
}

// A key that is present all the time is present for Has too.
func TestHasOfValueReplacedMeanwhile(t *testing.T) {
	o := Options{Spread: true, ChunkSize: 100, MaxChunks: 10}
	set := func(size int) func(t *testing.T, other *Backend) error {
		return func(t *testing.T, other *Backend) error { return other.Set(t.Context(), "k", largeValue(size), 0) }
	}
	remove := func(t *testing.T, other *Backend) error { _, err := other.Delete(t.Context(), "k"); return err }
	for name, tt := range map[string]struct {
		change func(t *testing.T, other *Backend) error
		times  int
		has    bool
		want   error
	}{
		"by a large value": {set(350), 1, true, nil},
		"twice":            {set(350), 2, true, nil},
		"always":           {set(350), maxRaces, false, errRaces},
		"deleted":          {remove, 1, false, nil},
		"by a small value": {func(t *testing.T, other *Backend) error { return errors.Join(remove(t, other), set(50)(t, other)) }, 1, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, nil)
			o.Servers = []string{f.addr}
			b, other := start(t, o), start(t, o)
			must(t, b.Set(t.Context(), "k", largeValue(450), 0))
			changes := 0
			f.answers(func(_ int, command string) string {
				isFirstChunk := strings.HasPrefix(command, "mg k~") && strings.HasSuffix(command, ".0000 f t c")
				if isFirstChunk && changes < tt.times {
					changes++
					if err := tt.change(t, other); err != nil {
						t.Error(err)
					}
				}
				return ""
			})
			has, err := b.Has(t.Context(), "k")
			if has != tt.has || err != tt.want {
				t.Errorf("Has = %v, %v; want %v, %v", has, err, tt.has, tt.want)
			}
		})
	}
}

func TestSpreadAmongWriters(t *testing.T) {
	spreads(t, func(t *testing.T, f *fake, b *Backend) {
		var running sync.WaitGroup
		for i := range 8 {
			running.Go(func() {
				for j := range 20 {
					value := bytes.Repeat([]byte{byte('a' + i)}, 50+((i+j)%2)*500+i)
					if err := b.Set(t.Context(), "k", value, 0); err != nil {
						t.Error(err)
					}
					got, ok, err := b.Get(t.Context(), "k")
					if err != nil && !errors.Is(err, errRaces) {
						t.Error(err)
					}
					if ok && (len(bytes.Trim(got, string(got[:1]))) > 0 || (len(got)-50)%500 != int(got[0]-'a')) {
						t.Errorf("a mix of values: %q", got)
					}
				}
			})
		}
		running.Wait()
	})
}

// If a chunk cannot be stored, the old value stays.
func TestSpreadFull(t *testing.T) {
	f := startFake(t, nil)
	b := start(t, Options{Servers: []string{f.addr}, Spread: true, ChunkSize: 100, MaxChunks: 10})
	must(t, b.Set(t.Context(), "k", largeValue(250), 0))
	f.answers(func(_ int, command string) string {
		if strings.Contains(command, ".0003 ") && strings.HasPrefix(command, "ms") {
			return "SERVER_ERROR out of memory storing object\r\n"
		}
		return ""
	})
	if err := b.Set(t.Context(), "k", largeValue(450), 0); !errors.Is(err, cache.ErrFull) {
		t.Errorf("Set: %v; want ErrFull", err)
	}
	err := b.SetMany(t.Context(), []driver.Item{{Key: "l", Value: largeValue(450)}, {Key: "s"}}, 0)
	var batch *cache.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != "l" {
		t.Errorf("SetMany: %v; want the failure of l alone", err)
	}
	b.mustGet(t, "k", string(largeValue(250)))
	if n := len(f.keys()); n != 1+3+1 {
		t.Errorf("%d keys are left; the chunks of the value that failed must be removed", n)
	}
}

// An index takes 37 bytes and may state any size that the options permit. Memory is
// allocated for what the server sends, not for what it states.
func TestIndexOfHostileServer(t *testing.T) {
	for name, o := range map[string]Options{
		"large": {Spread: true, MaxItemSize: 64 << 20, MaxChunks: 32}, "many chunks": {Spread: true, ChunkSize: 1000, MaxChunks: 9999},
	} {
		bothProtocols(t, func(t *testing.T, protocol Options) {
			f := startFake(t, nil)
			o.Servers, o.Protocol = []string{f.addr}, protocol.Protocol
			b := start(t, o)
			most := &mostItems{store: b.store}
			b.store = most
			size := min(b.valueLimit, 1<<30)
			var keys []string
			for i := range 10 {
				keys = append(keys, fmt.Sprint("k", i))
				x := index{size: size, chunk: b.options.ChunkSize}
				if o.ChunkSize > 0 {
					x = index{size: 9999, chunk: 1}
				}
				f.store(keys[i], entry{value: string(x.encode()), flags: flagSpread})
			}
			f.answers(func(_ int, command string) string {
				if strings.Contains(command, "~") {
					return hangUp
				}
				return ""
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, errGet := b.Get(t.Context(), "k0")
			_, errMany := b.GetMany(t.Context(), keys)
			runtime.ReadMemStats(&after)
			if errGet == nil || errMany == nil {
				t.Errorf("Get: %v, GetMany: %v; want errors", errGet, errMany)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
				t.Errorf("%s: allocated %d MiB", name, grown>>20)
			}
			b.removeChunks(t.Context(), b.indexes(t.Context(), keys))
			if most.n > maxChunks {
				t.Errorf("%s: %d chunks in one batch; want at most %d", name, most.n, maxChunks)
			}
		})
	}
}

// mostItems keeps the size of the largest batch.
type mostItems struct {
	store
	n int
}

func (m *mostItems) Many(ctx context.Context, op wire.Op, items []wire.Item) {
	m.n = max(m.n, len(items))
	m.store.Many(ctx, op, items)
}

// Sizes near the largest int, which 32 bits may exceed, neither overflow nor panic.
func TestIndexNearMaxInt(t *testing.T) {
	o, err := Options{Spread: true, MaxItemSize: 1 << 30, MaxChunks: 9999}.complete()
	must(t, err)
	if o.spreadLimit() <= 0 {
		t.Fatalf("the largest value has %d bytes", o.spreadLimit())
	}
	for _, size := range []int{o.spreadLimit(), o.spreadLimit() - 1, math.MaxInt32, math.MaxInt32 - 1} {
		x := index{size: size, chunk: o.ChunkSize}
		decoded, err := decodeIndex(x.encode(), o)
		if err != nil || decoded.count() <= 0 || decoded.count()-1 > size/o.ChunkSize {
			t.Errorf("%d bytes: %v, %d chunks", size, err, decoded.count())
		}
		if value, complete, err := decoded.assemble(nil, decoded.chunks("k", nil)); value != nil || complete || err != nil {
			t.Errorf("%d bytes without chunks: %d bytes, %v, %v", size, len(value), complete, err)
		}
	}
}
