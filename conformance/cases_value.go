package conformance

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

const mib = 1 << 20

var valueCases = []Case{
	{ID: "VAL-1", Name: "empty_value",
		Rule: "a value of 0 bytes is a hit with a non-nil empty slice",
		Why:  "If an empty value looks like a miss, the program computes it again on every call.",
		run: func(t *attempt) {
			t.set("set", "", time.Hour)
			t.add("add", "", time.Hour)
			t.setMany(map[string]string{"many": ""}, time.Hour)
			for _, key := range []string{"set", "add", "many"} {
				value, ok, err := t.handle.Get(t.ctx, key)
				t.must("Get", err)
				equal(t, "ok of Get of an empty value stored by "+key, ok, true)
				equal(t, "the length of an empty value", len(value), 0)
				if t.mode != bare {
					equal(t, "a nil slice from Get of an empty value stored by "+key, value == nil, false)
				}
			}
			for i, value := range t.getMany("set", "add", "many") {
				equal(t, fmt.Sprintf("a nil slice (a miss) from GetMany of empty values at position %d", i), value == nil, false)
			}
		}},
	{ID: "VAL-2", Name: "nil_value",
		Rule: "a nil value is stored as an empty one",
		Why:  "A backend that takes nil for a deletion or an error loses the fact that the value is empty.",
		run: func(t *attempt) {
			t.must("Set of nil", t.handle.Set(t.ctx, "set", nil, time.Hour))
			_, err := t.handle.Add(t.ctx, "add", nil, time.Hour)
			t.must("Add of nil", err)
			many := t.cacheKey("many")
			if t.mode == bare {
				err = t.handle.bare.SetMany(t.ctx, []driver.Item{{Key: many}}, time.Hour)
			} else {
				err = t.cache.SetMany(t.ctx, map[string][]byte{many: nil})
			}
			t.must("SetMany of nil", err)
			list := []string{"set", "add", "many"}
			for i, value := range t.getMany(list...) {
				t.hit("after nil was stored", list[i], "")
				equal(t, "Has after nil was stored", t.has(list[i]), true)
				equal(t, "a nil slice (a miss) from GetMany", value == nil, false)
			}
		}},
	{ID: "VAL-3", Name: "binary_values",
		Rule: "values of all 256 bytes, of line ends and of protocol commands are returned unchanged",
		Why:  "A text protocol or a serialiser's marker inside a value would end or change it.",
		run: func(t *attempt) {
			all := make([]byte, 256)
			for i := range all {
				all[i] = byte(i)
			}
			for i, value := range []string{string(all), "\r\n", "a\r\nb", "END\r\n", "$5\r\n", "*-1\r\n", "!", "\x00", "\x00\x00", "\n",
				"VALUE k 0 1\r\nx\r\nEND\r\n", "status", "nil", "{}", "\x80\x04N.", " 1", "1 ", "\xff\xfe", strings.Repeat("\x00", 5000)} {
				key := fmt.Sprintf("k%d", i)
				t.set(key, value, time.Hour)
				t.hit("after Set", key, value)
				equal(t, "GetMany", string(t.getMany(key)[0]), value)
			}
		}},
	{ID: "VAL-4", Name: "values_like_envelopes",
		Rule: "a value that looks like the backend's own metadata is returned unchanged",
		Why:  "A backend that guesses its format from the bytes decodes such a value a second time.",
		run: func(t *attempt) {
			items := map[string]string{}
			for i := range t.fewer(256) {
				b := 255 - i*255/(t.fewer(256)-1)
				items[fmt.Sprintf("a%d", b)] = string([]byte{byte(b)})
				items[fmt.Sprintf("b%d", b)] = string([]byte{byte(b), 1, 0, 0, 0, 0, 0, 0, 0, 9})
				items[fmt.Sprintf("c%d", b)] = strings.Repeat(string([]byte{byte(b)}), 64)
			}
			t.setMany(items, time.Hour)
			for key, value := range items {
				t.hit("after SetMany", key, value)
			}
		}},
	{ID: "VAL-5", Name: "largest_value",
		Rule:  "the largest value works, and one byte more is ErrTooLarge; without a limit, values around 1 MiB work",
		Why:   "Servers count headers towards their limit and drop a larger value without an error.",
		flags: needsOwnStore, run: largestValue},
	{ID: "VAL-6", Name: "16_MiB",
		Rule:          "a value of 16 MiB is returned unchanged, up to Limits.MaxValue",
		Why:           "A buffer that is too small or a deadline that is too short fails only for large values.",
		flags:         oneModeOnly | needsOwnStore,
		run:           func(t *attempt) { t.roundTripOfSize(16 * mib) },
		notApplicable: needsLargeValues},
	{ID: "VAL-7", Name: "too_large_leaves_old_or_nothing",
		Rule:          "after ErrTooLarge the key holds the old value or nothing, never a mixture",
		Why:           "memcached drops the old value, and a value in chunks may consist of two versions.",
		notApplicable: needsMaxValue,
		run: func(t *attempt) {
			t.set("k", "old", time.Hour)
			tooLarge := randomBytes(1, t.maxValueOf("k")+1)
			t.errorIs("Set over the limit", t.handle.Set(t.ctx, "k", tooLarge, time.Hour), driver.ErrTooLarge)
			for range 2 {
				if value, ok := t.get("k"); ok {
					equal(t, "the value after Set over the limit", value, "old")
				}
			}
		}},
	{ID: "VAL-8", Name: "bytes_given_are_copied",
		Rule:  "through Cache, changing the bytes after Set, Add or SetMany does not change the stored value",
		Why:   "A caller that reuses its buffer would overwrite what it has cached.",
		flags: cacheOnly,
		run: func(t *attempt) {
			buffer := []byte("value")
			key, added, many := t.cacheKey("set"), t.cacheKey("add"), t.cacheKey("many")
			t.must("Set", t.cache.Set(t.ctx, key, buffer))
			_, err := t.cache.Add(t.ctx, added, buffer)
			t.must("Add", err)
			t.must("SetMany", t.cache.SetMany(t.ctx, map[string][]byte{many: buffer}))
			copy(buffer, "#####")
			t.cacheHolds(key, "value")
			t.cacheHolds(added, "value")
			t.cacheHolds(many, "value")
		}},
	{ID: "VAL-9", Name: "bytes_got_are_the_callers",
		Rule:  "through Cache, changing the bytes after Get does not change the stored value; two Gets return two slices",
		Why:   "A caller that modifies what it reads would change the value for every other caller.",
		flags: cacheOnly,
		run: func(t *attempt) {
			key := t.cacheKey("k")
			t.must("Set", t.cache.Set(t.ctx, key, []byte("value")))
			first, _, err := t.cache.Get(t.ctx, key)
			t.must("Get", err)
			second, _, err := t.cache.Get(t.ctx, key)
			t.must("Get", err)
			copy(first, "#####")
			_ = append(first[:1], "YYYY"...)
			equal(t, "the slice of a second Get after the first was changed", string(second), "value")
			t.cacheHolds(key, "value")
		}},
	{ID: "VAL-10", Name: "bytes_of_batches_are_copied",
		Rule:  "through Cache, changing the slices of GetMany and GetDict does not change the stored value",
		Why:   "The batch path often forgets the copy that Get makes.",
		flags: cacheOnly,
		run: func(t *attempt) {
			key := t.cacheKey("k")
			t.must("Set", t.cache.Set(t.ctx, key, []byte("value")))
			results, err := t.cache.GetMany(t.ctx, key, key)
			t.must("GetMany", err)
			copy(results[0].Value, "#####")
			equal(t, "the second of two equal keys after the first result was changed", string(results[1].Value), "value")
			t.cacheHolds(key, "value")
			hits, err := t.cache.GetDict(t.ctx, key)
			t.must("GetDict", err)
			copy(hits[key], "#####")
			t.cacheHolds(key, "value")
			other := t.cacheKey("other")
			t.must("Set", t.cache.Set(t.ctx, other, []byte("second")))
			results, err = t.cache.GetMany(t.ctx, key, other)
			t.must("GetMany", err)
			_ = append(results[0].Value, "#####"...)
			equal(t, "the second result of GetMany after an append to the first", string(results[1].Value), "second")
		}},
	{ID: "VAL-11", Name: "undecodable_bytes",
		Rule:  "bytes that cannot be decoded are ErrCorrupt: no panic, and no zero value with ok=true",
		Why:   "After a change of format a program would read zero values, or crash on entries of the old version.",
		flags: cacheOnly,
		run: func(t *attempt) {
			for i, data := range []string{"", "not json", `{"Name":1}`, "\x00\xff", `{"Name":"cut`} {
				key := t.cacheKey(fmt.Sprintf("k%d", i))
				t.must("Set", t.cache.Set(t.ctx, key, []byte(data)))
				isCorrupt[struct{ Name string }](t, key, data)
				isCorrupt[int](t, key, data)
			}
		}},
	{ID: "VAL-13", Name: "unencodable_value",
		Rule:  "a value that cannot be encoded is an error and stores nothing",
		Why:   "One library reports success and stores a header, after which Has returns true.",
		flags: cacheOnly, run: unencodableValue},
	{ID: "VAL-14", Name: "encoding_holds_no_lock",
		Rule:  "a codec may call the cache",
		Why:   "A lock that is held during encoding deadlocks a codec that reads from the same cache.",
		flags: cacheOnly,
		run: func(t *attempt) {
			key := t.cacheKey("k")
			codec := callingCodec{cache.JSON, func() {
				_, _, err := t.cache.Get(t.ctx, key)
				t.must("Get inside a codec", err)
				t.must("Set inside a codec", t.cache.Set(t.ctx, key, []byte(`{"A":1}`)))
			}}
			view := cache.Of[struct{ A int }](t.newCache(cache.WithCodec(codec)))
			t.finishes("Set and Get with a codec that calls the cache", func() {
				t.must("Set", view.Set(t.ctx, key, struct{ A int }{1}))
				_, _, err := view.Get(t.ctx, key)
				t.must("Get", err)
			})
		}},
	{ID: "VAL-15", Name: "integers",
		Rule:     "an integer that a view stores can be incremented and is read as the same integer, at both ends of the range",
		Why:      "If a view stores integers in another form than counters, Inc of a stored number fails.",
		Features: []Feature{Counter}, flags: cacheOnly,
		run: func(t *attempt) {
			for _, n := range []int64{0, 1, -1, 42, math.MaxInt64, math.MinInt64} {
				t.countsFrom(n)
			}
		}},
	{ID: "VAL-18", Name: "sizes_around_powers_of_two",
		Rule:  "values of all sizes around a power of two are returned unchanged, up to Limits.MaxValue or 1 MiB",
		Why:   "Buffers, blocks and length fields end at such sizes, and a value may lose or gain a byte.",
		flags: needsOwnStore,
		run:   sizesAroundPowersOfTwo},
}

// sizesAroundPowersOfTwo stores values of random bytes, which cannot be compressed, in
// one of three ways and reads them in two. Small values are stored in all ways.
func sizesAroundPowersOfTwo(t *attempt) {
	limit := t.harness.Limits.maxValue()
	way := t.rand.IntN(3)
	for power := 1; power <= mib; power *= 2 {
		items := map[string]string{}
		for size := power - 1; size <= power+1; size++ {
			if limit == 0 || size <= limit {
				items[fmt.Sprintf("k%d", size)] = string(randomBytes(byte(t.rand.Uint32()), size))
			}
		}
		for i := range 3 {
			if power <= 64<<10 || i == way {
				t.storesAndReads(births[i].name, items)
			}
		}
		way = (way + 1) % 3
	}
}

// storesAndReads stores items by the operation name, reads and removes them.
func (t *attempt) storesAndReads(name string, items map[string]string) {
	var list []string
	for key, value := range items {
		switch list = append(list, key); name {
		case "Set":
			t.set(key, value, time.Hour)
		case "Add":
			equal(t, "Add of the absent key "+show(key), t.add(key, value, time.Hour), true)
		}
	}
	if name == "SetMany" {
		t.setMany(items, time.Hour)
	}
	for i, value := range t.getMany(list...) {
		what := fmt.Sprintf("stored by %s with %d bytes", name, len(items[list[i]]))
		if string(value) != items[list[i]] {
			t.wrong(what+": GetMany at the position of "+list[i], value, items[list[i]])
		}
		t.hit(what, list[i], items[list[i]])
	}
	t.deleteMany(list...)
}

func needsMaxValue(h Harness) string {
	if h.Limits.maxValue() == 0 {
		return "there is no largest value (Limits.MaxValue)"
	}
	return ""
}

func needsLargeValues(h Harness) string {
	if limit := h.Limits.maxValue(); limit != 0 && limit < 16*mib {
		return fmt.Sprintf("values have at most %d bytes (Limits.MaxValue)", limit)
	}
	return ""
}

func largestValue(t *attempt) {
	limit := t.harness.Limits.maxValue()
	for _, size := range []int{mib - 1, mib, mib + 1, limit - 1, limit} {
		if size > 0 && (limit == 0 || size <= limit) {
			t.roundTripOfSize(size)
		}
	}
	if limit == 0 {
		return
	}
	if t.harness.Limits.MaxEntry != 0 { // which counts the key
		limit = t.maxValueOf("k")
		t.must("Set of the largest entry", t.handle.Set(t.ctx, "k", randomBytes(1, limit), time.Hour))
	}
	for _, size := range []int{limit + 1, limit + mib} {
		t.errorIs(fmt.Sprintf("Set of %d bytes", size), t.handle.Set(t.ctx, "k", randomBytes(1, size), time.Hour), driver.ErrTooLarge)
		_, err := t.handle.Add(t.ctx, "new", randomBytes(1, size), time.Hour)
		t.errorIs(fmt.Sprintf("Add of %d bytes", size), err, driver.ErrTooLarge)
		t.miss("after Add returned ErrTooLarge", "new")
	}
}

// roundTripOfSize stores, reads and removes a value of size bytes.
func (t *attempt) roundTripOfSize(size int) {
	value := randomBytes(byte(t.rand.Uint32()), size) // not to be compressed
	key := fmt.Sprintf("large%d", size)
	t.must(fmt.Sprintf("Set of %d bytes", size), t.handle.Set(t.ctx, key, value, time.Hour))
	got, ok, err := t.handle.Get(t.ctx, key)
	t.must(fmt.Sprintf("Get of %d bytes", size), err)
	if !ok || !bytes.Equal(got, value) {
		t.wrong(fmt.Sprintf("Get of a value of %d bytes, ok=%v", size, ok), got, value)
	}
	t.delete(key)
}

// maxValueOf returns the size of the largest value under key, 0 if there is no limit.
func (t *attempt) maxValueOf(key string) int {
	if limit := t.harness.Limits.MaxEntry; limit != 0 {
		return limit - len(t.storedKey(key))
	}
	return t.harness.Limits.MaxValue
}

// isCorrupt reads key, which holds data, as a T that data is not.
func isCorrupt[T any](t *attempt, key, data string) {
	what := fmt.Sprintf("Get of %s as %T", show(data), *new(T))
	_, ok, err := cache.Of[T](t.cache).Get(t.ctx, key)
	t.errorIs(what, err, driver.ErrCorrupt)
	equal(t, "ok of "+what, ok, false)
}

func unencodableValue(t *attempt) {
	key, fresh := t.cacheKey("k"), t.cacheKey("fresh")
	t.must("Set", t.cache.Set(t.ctx, key, []byte("old")))
	view := cache.Of[chan int](t.cache)
	for _, k := range []string{key, fresh} {
		t.isError("Set of a channel", view.Set(t.ctx, k, make(chan int)))
		_, err := view.Add(t.ctx, k, make(chan int))
		t.isError("Add of a channel", err)
		t.isError("SetMany of a channel", view.SetMany(t.ctx, map[string]chan int{k: nil}))
	}
	t.cacheHolds(key, "old")
	t.cacheHolds(fresh, "")
	has, err := t.cache.Has(t.ctx, fresh)
	t.must("Has", err)
	equal(t, "Has after Set of a value that cannot be encoded", has, false)
}

// countsFrom stores n through a view and increments it, towards 0 from MaxInt64.
func (t *attempt) countsFrom(n int64) {
	view, key := cache.Of[int64](t.cache), t.cacheKey("k")
	t.must("Set of an integer", view.Set(t.ctx, key, n))
	got, _, err := view.Get(t.ctx, key)
	t.must("Get of an integer", err)
	equal(t, "the integer after Set", got, n)
	delta := int64(1)
	if n == math.MaxInt64 {
		delta = -1
	}
	if lowest := t.harness.Limits.CounterMin; lowest != nil && min(n, n+delta) < *lowest {
		return
	}
	sum, err := t.cache.Inc(t.ctx, key, delta)
	t.must(fmt.Sprintf("Inc of %d", n), err)
	equal(t, fmt.Sprintf("Inc of %d by %d", n, delta), sum, n+delta)
	got, _, err = view.Get(t.ctx, key)
	t.must("Get after Inc", err)
	equal(t, "the integer after Inc", got, n+delta)
}

// callingCodec calls back before it encodes and decodes.
type callingCodec struct {
	cache.Codec
	call func()
}

func (c callingCodec) Marshal(value any) ([]byte, error) {
	c.call()
	return c.Codec.Marshal(value)
}

func (c callingCodec) Unmarshal(data []byte, target any) error {
	c.call()
	return c.Codec.Unmarshal(data, target)
}
