package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

const mib = 1 << 20

var valueCases = []Case{
	{ID: "VAL-1", Name: "empty_value",
		Rule: "a value of 0 bytes is a hit with a non-nil empty slice",
		Why:  "an empty value is not a miss",
		Run: func(t *T) {
			t.Set("set", "", time.Hour)
			t.Add("add", "", time.Hour)
			t.SetMany(map[string]string{"many": ""}, time.Hour)
			for _, key := range []string{"set", "add", "many"} {
				value, ok, err := t.try.Get(t.ctx, key)
				t.Ok("Get", err)
				Equal(t, "ok of Get of an empty value stored by "+key, ok, true)
				Equal(t, "length of an empty value", len(value), 0)
				if t.mode != bare {
					Equal(t, "a nil slice from Get of an empty value stored by "+key, value == nil, false)
				}
			}
			for i, value := range t.GetMany("set", "add", "many") {
				Equal(t, fmt.Sprintf("a nil slice (a miss) from GetMany of empty values, place %d", i), value == nil, false)
			}
		}},
	{ID: "VAL-2", Name: "nil_value",
		Rule: "a nil value is stored as an empty one",
		Why:  "nil is not delete, and not an error",
		Run: func(t *T) {
			t.Ok("Set of nil", t.try.Set(t.ctx, "set", nil, time.Hour))
			_, err := t.try.Add(t.ctx, "add", nil, time.Hour)
			t.Ok("Add of nil", err)
			for i, key := range []string{"set", "add"} {
				t.Hit("after it was stored as nil", key, "")
				Equal(t, "Has after nil was stored", t.Has(key), true)
				Equal(t, "a nil slice (a miss) from GetMany", t.GetMany("set", "add")[i] == nil, false)
			}
		}},
	{ID: "VAL-3", Name: "binary_values",
		Rule: "all 256 bytes, line ends, and the words of protocols come back as they went",
		Why:  "text protocols, markers of serialisers",
		Run: func(t *T) {
			all := make([]byte, 256)
			for i := range all {
				all[i] = byte(i)
			}
			for i, value := range []string{string(all), "\r\n", "a\r\nb", "END\r\n", "$5\r\n", "*-1\r\n", "!", "\x00", "\x00\x00", "\n",
				"VALUE k 0 1\r\nx\r\nEND\r\n", "status", "nil", "{}", "\x80\x04N.", " 1", "1 ", "\xff\xfe", strings.Repeat("\x00", 5000)} {
				key := fmt.Sprintf("k%d", i)
				t.Set(key, value, time.Hour)
				t.Hit("after Set", key, value)
				Equal(t, "GetMany", string(t.GetMany(key)[0]), value)
			}
		}},
	{ID: "VAL-4", Name: "values_like_envelopes",
		Rule: "a value that looks like metadata of our own comes back as it went",
		Why:  "decoding twice",
		Run: func(t *T) {
			items := map[string]string{}
			for i := range t.fewer(256) {
				b := 255 - i*255/(t.fewer(256)-1)
				items[fmt.Sprintf("a%d", b)] = string([]byte{byte(b)})
				items[fmt.Sprintf("b%d", b)] = string([]byte{byte(b), 1, 0, 0, 0, 0, 0, 0, 0, 9})
				items[fmt.Sprintf("c%d", b)] = strings.Repeat(string([]byte{byte(b)}), 64)
			}
			t.SetMany(items, time.Hour)
			for key, value := range items {
				t.Hit("after SetMany", key, value)
			}
		}},
	{ID: "VAL-5", Name: "largest_value",
		Rule: "the largest value works, one byte more is ErrTooLarge; around 1 MiB where there is no limit",
		Why:  "limits count headers, and fail in silence", traits: private,
		Run: func(t *T) {
			limit := t.harness.MaxValue
			for _, size := range []int{mib - 1, mib, mib + 1, limit - 1, limit} {
				if size > 0 && (limit == 0 || size <= limit) {
					t.large(size)
				}
			}
			if limit == 0 {
				return
			}
			for _, size := range []int{limit + 1, limit + mib} {
				t.ErrorIs(fmt.Sprintf("Set of %d bytes", size), t.try.Set(t.ctx, "k", make([]byte, size), time.Hour), cache.ErrTooLarge)
				_, err := t.try.Add(t.ctx, "new", make([]byte, size), time.Hour)
				t.ErrorIs(fmt.Sprintf("Add of %d bytes", size), err, cache.ErrTooLarge)
				t.Miss("after Add was refused", "new")
			}
		}},
	{ID: "VAL-6", Name: "16_MiB",
		Rule:   "a value of 16 MiB makes the round trip, up to Harness.MaxValue",
		Why:    "buffers, deadlines",
		traits: once | private,
		Run:    func(t *T) { t.large(16 * mib) },
		when: func(h Harness) string {
			if h.MaxValue != 0 && h.MaxValue < 16*mib {
				return fmt.Sprintf("values end at %d bytes (Harness.MaxValue)", h.MaxValue)
			}
			return ""
		}},
	{ID: "VAL-7", Name: "too_large_leaves_old_or_nothing",
		Rule: "after ErrTooLarge the old value is there or none: never a mix",
		Why:  "memcached drops the old value, chunks get mixed",
		Run: func(t *T) {
			t.Set("k", "old", time.Hour)
			t.ErrorIs("Set over the limit", t.try.Set(t.ctx, "k", make([]byte, t.harness.MaxValue+1), time.Hour), cache.ErrTooLarge)
			for range 2 {
				if value, ok := t.Get("k"); ok {
					Equal(t, "the value after Set over the limit", value, "old")
				}
			}
		},
		when: func(h Harness) string {
			if h.MaxValue == 0 {
				return "there is no largest value (Harness.MaxValue)"
			}
			return ""
		}},
	{ID: "VAL-8", Name: "bytes_given_are_copied",
		Rule:   "through Cache, bytes that the caller changes after Set, Add or SetMany do not change the stored value",
		Why:    "shared memory",
		traits: cacheOnly,
		Run: func(t *T) {
			buffer := []byte("value")
			key, added, many := t.Own("set"), t.Own("add"), t.Own("many")
			t.Ok("Set", t.cache.Set(t.ctx, key, buffer))
			_, err := t.cache.Add(t.ctx, added, buffer)
			t.Ok("Add", err)
			t.Ok("SetMany", t.cache.SetMany(t.ctx, map[string][]byte{many: buffer}))
			copy(buffer, "#####")
			t.holds(key, "value")
			t.holds(added, "value")
			t.holds(many, "value")
		}},
	{ID: "VAL-9", Name: "bytes_got_are_the_callers",
		Rule:   "through Cache, bytes that the caller changes after Get do not change the stored value; two Gets give two slices",
		Why:    "shared memory",
		traits: cacheOnly,
		Run: func(t *T) {
			key := t.Own("k")
			t.Ok("Set", t.cache.Set(t.ctx, key, []byte("value")))
			first, _, err := t.cache.Get(t.ctx, key)
			t.Ok("Get", err)
			second, _, err := t.cache.Get(t.ctx, key)
			t.Ok("Get", err)
			copy(first, "#####")
			_ = append(first[:1], "YYYY"...)
			Equal(t, "the slice of a second Get after the first was written to", string(second), "value")
			t.holds(key, "value")
		}},
	{ID: "VAL-10", Name: "bytes_of_batches_are_copied",
		Rule:   "the same holds for the slices of GetMany and GetDict",
		Why:    "the batch path forgets it",
		traits: cacheOnly,
		Run: func(t *T) {
			key := t.Own("k")
			t.Ok("Set", t.cache.Set(t.ctx, key, []byte("value")))
			results, err := t.cache.GetMany(t.ctx, key, key)
			t.Ok("GetMany", err)
			copy(results[0].Value, "#####")
			Equal(t, "the second of two equal keys after the first was written to", string(results[1].Value), "value")
			t.holds(key, "value")
			hits, err := t.cache.GetDict(t.ctx, key)
			t.Ok("GetDict", err)
			copy(hits[key], "#####")
			t.holds(key, "value")
		}},
	{ID: "VAL-11", Name: "undecodable_bytes",
		Rule:   "bytes that cannot be decoded are ErrCorrupt: no panic, and no zero value with ok",
		Why:    "one library lets the error of its serialiser out of get",
		traits: cacheOnly,
		Run: func(t *T) {
			type user struct{ Name string }
			for i, data := range []string{"", "not json", `{"Name":1}`, "\x00\xff", `{"Name":"cut`} {
				key := t.Own(fmt.Sprintf("k%d", i))
				t.Ok("Set", t.cache.Set(t.ctx, key, []byte(data)))
				_, ok, err := cache.Of[user](t.cache).Get(t.ctx, key)
				t.ErrorIs("Get of "+show(data)+" as a struct", err, cache.ErrCorrupt)
				Equal(t, "ok of Get of "+show(data)+" as a struct", ok, false)
				_, ok, err = cache.Of[int](t.cache).Get(t.ctx, key)
				t.ErrorIs("Get of "+show(data)+" as an int", err, cache.ErrCorrupt)
				Equal(t, "ok of Get of "+show(data)+" as an int", ok, false)
			}
		}},
	{ID: "VAL-13", Name: "unencodable_value",
		Rule:   "a value that cannot be encoded is an error and stores nothing",
		Why:    "one library says true and stores a header",
		traits: cacheOnly,
		Run: func(t *T) {
			key, fresh := t.Own("k"), t.Own("fresh")
			t.Ok("Set", t.cache.Set(t.ctx, key, []byte("old")))
			view := cache.Of[chan int](t.cache)
			for _, k := range []string{key, fresh} {
				refused(t, "Set of a channel", view.Set(t.ctx, k, make(chan int)))
				_, err := view.Add(t.ctx, k, make(chan int))
				refused(t, "Add of a channel", err)
				refused(t, "SetMany of a channel", view.SetMany(t.ctx, map[string]chan int{k: nil}))
			}
			t.holds(key, "old")
			t.holds(fresh, "")
			has, err := t.cache.Has(t.ctx, fresh)
			t.Ok("Has", err)
			Equal(t, "Has after Set of what cannot be encoded", has, false)
		}},
	{ID: "VAL-14", Name: "encoding_holds_no_lock",
		Rule:   "a codec may use the cache itself",
		Why:    "locks held while calling back are deadlocks",
		traits: cacheOnly,
		Run: func(t *T) {
			key := t.Own("k")
			within := callingCodec{cache.JSON, func() {
				_, _, err := t.cache.Get(t.ctx, key)
				t.Ok("Get within a codec", err)
				t.Ok("Set within a codec", t.cache.Set(t.ctx, key, []byte(`{"A":1}`)))
			}}
			view := cache.Of[struct{ A int }](t.Cache(cache.WithCodec(within)))
			t.Finish("Set and Get with a codec that calls the cache", func() {
				t.Ok("Set", view.Set(t.ctx, key, struct{ A int }{1}))
				_, _, err := view.Get(t.ctx, key)
				t.Ok("Get", err)
			})
		}},
	{ID: "VAL-15", Name: "integers",
		Rule:     "an integer stored by Set can be incremented and reads back as the same integer, at both ends of the range",
		Why:      "one library fixed exactly this after years",
		Features: []Feature{Counter}, traits: cacheOnly,
		Run: func(t *T) {
			view, key := cache.Of[int64](t.cache), t.Own("k")
			for _, n := range []int64{0, 1, -1, 42, math.MaxInt64, math.MinInt64} {
				t.Ok("Set of an integer", view.Set(t.ctx, key, n))
				got, _, err := view.Get(t.ctx, key)
				t.Ok("Get of an integer", err)
				Equal(t, "the integer after Set", got, n)
				delta := int64(1)
				if n == math.MaxInt64 {
					delta = -1
				}
				if minimum := t.harness.CounterMin; minimum != nil && min(n, n+delta) < *minimum {
					continue
				}
				sum, err := t.cache.Inc(t.ctx, key, delta)
				t.Ok(fmt.Sprintf("Inc of %d", n), err)
				Equal(t, fmt.Sprintf("Inc of %d by %d", n, delta), sum, n+delta)
				got, _, err = view.Get(t.ctx, key)
				t.Ok("Get after Inc", err)
				Equal(t, "the integer after Inc", got, n+delta)
			}
		}},
}

// large makes the round trip with a value of size bytes.
func (t *T) large(size int) {
	value := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	key := fmt.Sprintf("large%d", size)
	t.Ok(fmt.Sprintf("Set of %d bytes", size), t.try.Set(t.ctx, key, value, time.Hour))
	got, ok, err := t.try.Get(t.ctx, key)
	t.Ok(fmt.Sprintf("Get of %d bytes", size), err)
	if !ok || !bytes.Equal(got, value) {
		t.Wrong(fmt.Sprintf("Get of a value of %d bytes, found %v", size, ok), got, value)
	}
	t.Delete(key)
}

// refused records a failure where an error is missing.
func refused(t *T, what string, err error) {
	if err == nil {
		t.Wrong(what, text("no error"), text("an error"))
	}
}

// callingCodec calls back whenever it is asked.
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

// Finish stops the case where call hangs.
func (t *T) Finish(what string, call func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.recover()
		call()
	}()
	const patience = 10 * time.Second
	select {
	case <-done:
	case <-time.After(patience):
		t.Stop(what, errors.New("it hangs"), text("it returns"))
	}
}
