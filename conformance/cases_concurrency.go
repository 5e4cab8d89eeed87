package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

var concurrencyCases = []Case{
	{ID: "CON-1", Name: "concurrent_use",
		Rule:   "all operations may be called at once (run the tests with -race)",
		Why:    "a cache is shared by its nature",
		traits: private,
		Run: func(t *T) {
			verbs := t.possible(keyVerbs)
			t.Go(8, func(worker int) {
				for i := range t.fewer(100) {
					key := fmt.Sprintf("k%d", i%4)
					for _, v := range verbs {
						err := v.call(t.ctx, t.try, key)
						if err != nil && !strings.Contains(err.Error(), errResult.Error()) {
							t.Ok(v.name+" among other callers", err)
						}
					}
				}
			})
		}},
	{ID: "CON-2", Name: "values_are_never_torn",
		Rule:   "readers see only complete values that were written",
		Why:    "28 % of reads were torn where files are written in place",
		traits: private,
		Run:    func(t *T) { t.torn(256<<10, 256<<10) }},
	{ID: "CON-3", Name: "one_key_is_linearizable",
		Rule:   "the history of one key under Get, Set, Add, Delete and Inc is that of some order of the calls",
		Why:    "defects of ordering that no example finds",
		traits: private,
		Run:    linearizable},
	{ID: "CON-4", Name: "large_and_small_alternate",
		Rule:   "large and small values alternating on one key, from 8 writers, are never mixed",
		Why:    "chunks of two generations",
		traits: private,
		Run:    func(t *T) { t.torn(16, 700<<10) }},
	{ID: "CON-5", Name: "no_goroutine_is_left",
		Rule:   "after 1000 operations and Close there are no more goroutines than before",
		Why:    "leaks end programs that run for weeks",
		traits: once | private | null,
		Run:    noGoroutineLeft},
}

// checked is a value that carries its own length and sum.
func checked(n uint32, size int) []byte {
	value := bytes.Repeat([]byte{byte(n)}, size)
	binary.LittleEndian.PutUint32(value[4:], uint32(size))
	binary.LittleEndian.PutUint32(value, crc32.ChecksumIEEE(value[4:]))
	return value
}

func isWhole(value []byte) bool {
	return len(value) >= 8 && binary.LittleEndian.Uint32(value[4:]) == uint32(len(value)) &&
		binary.LittleEndian.Uint32(value) == crc32.ChecksumIEEE(value[4:])
}

// torn has 8 callers write and read one key with values of both sizes.
func (t *T) torn(small, large int) {
	if limit := t.harness.MaxValue; limit != 0 {
		small, large = min(small, limit), min(large, limit)
	}
	rounds := t.fewer(15)
	t.Go(8, func(worker int) {
		for i := range rounds {
			size := small
			if (worker+i)%2 == 0 {
				size = large
			}
			t.Ok("Set", t.try.Set(t.ctx, "k", checked(uint32(worker*100+i), size), time.Hour))
			for range 2 {
				value, ok, err := t.try.Get(t.ctx, "k")
				t.Ok("Get", err)
				if ok && !isWhole(value) {
					t.Stop("Get while others Set", value, text("one of the values that were set"))
				}
			}
		}
	})
}

// noGoroutineLeft knows the goroutines of the backend by a label that they
// inherit: others come and go as they like.
func noGoroutineLeft(t *T) {
	pprof.Do(t.ctx, pprof.Labels("conformance", t.id), func(context.Context) {
		b := t.open()
		t.Go(4, func(worker int) {
			for i := range 250 {
				key := t.Own(fmt.Sprintf("w%d-%d", worker, i%50))
				t.Ok("Set", b.Set(t.ctx, key, []byte("v"), time.Minute))
				_, _, err := b.Get(t.ctx, key)
				t.Ok("Get", err)
			}
		})
		t.Ok("Close", b.Close())
	})
	var left []string
	for range 200 {
		if left = labelled(t.id); len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Wrong("goroutines two seconds after Close", text(strings.Join(left, "\n")), text("none"))
}

// labelled returns the stacks of the goroutines that carry label.
func labelled(label string) []string {
	var profile strings.Builder
	pprof.Lookup("goroutine").WriteTo(&profile, 1)
	return slices.DeleteFunc(strings.Split(profile.String(), "\n\n"), func(stack string) bool {
		return !strings.Contains(stack, label)
	})
}
