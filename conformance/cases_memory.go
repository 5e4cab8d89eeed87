package conformance

import (
	"fmt"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var memoryCases = []Case{
	{ID: "VAL-19", Name: "bytes_got_stay",
		Rule:  "the bytes that a read has returned never change, whatever happens to the entry afterwards",
		Why:   "A backend that uses the memory again changes what a request has read; views of strings share it with the store.",
		flags: emptiesStore | usesFreeTime,
		run:   bytesGotStay},
	{ID: "VAL-20", Name: "bytes_given_stay",
		Rule:  "the backend never writes into the bytes that a write has received, also not later",
		Why:   "A store that keeps the slice and increments it in place changes a value that its caller still uses.",
		flags: emptiesStore | usesFreeTime,
		run:   bytesGivenStay},
}

// memoryChange is what happens to an entry whose bytes somebody else holds.
type memoryChange struct {
	name  string
	needs Feature
	value string // of the entry
	call  func(t *attempt, key, value string)
}

var (
	oneText   = strings.Repeat("text", 16)
	otherText = strings.Repeat("TEXT", 16) // has the same length
)

var memoryChanges = []memoryChange{
	{"Set of the same length", "", oneText, func(t *attempt, key, _ string) { t.set(key, otherText, time.Hour) }},
	{"Set of a shorter and a longer value", "", oneText, func(t *attempt, key, _ string) {
		t.set(key, "short", time.Hour)
		t.set(key, otherText+otherText, 0)
	}},
	{"SetMany", "", oneText, func(t *attempt, key, _ string) {
		t.setMany(map[string]string{key: otherText, key + "2": otherText}, time.Hour)
	}},
	{"Inc", Counter, "41", func(t *attempt, key, _ string) { t.inc(key, 1, time.Hour) }},
	{"Inc to a shorter and a longer number", Counter, "10", func(t *attempt, key, _ string) {
		t.inc(key, -1, time.Hour)
		t.inc(key, 1000, time.Hour)
	}},
	{"CompareAndSwap", Swap, oneText, func(t *attempt, key, value string) {
		equal(t, "CompareAndSwap", t.swap(key, value, otherText, time.Hour), true)
	}},
	{"Delete", "", oneText, func(t *attempt, key, _ string) { t.delete(key) }},
	{"Delete and Add", "", oneText, func(t *attempt, key, _ string) {
		t.delete(key)
		t.add(key, otherText, time.Hour)
	}},
	{"DeleteMany and SetMany", "", oneText, func(t *attempt, key, _ string) {
		t.deleteMany(key, key+"2")
		t.setMany(map[string]string{key: otherText, key + "2": otherText}, time.Hour)
	}},
	{"Delete and Fill", Lease, oneText, func(t *attempt, key, _ string) {
		t.delete(key)
		equal(t, "Fill", t.fillLease(key, t.lease("after Delete", key, driver.MaxHold), otherText, time.Hour), true)
	}},
	{"Clear of a prefix", PrefixClear, oneText, func(t *attempt, key, _ string) { t.must("Clear", t.handle.ClearPrefix(t.ctx, key)) }},
	{"Clear", "", oneText, func(t *attempt, _, _ string) {
		if !cannotClear(t) {
			t.clear()
		}
	}},
}

// held are bytes that the store has returned or received.
type held struct {
	how   string
	bytes []byte
	was   string
}

// stay records a failure for bytes that have changed.
func (t *attempt) stay(when string, all []held) {
	for _, h := range all {
		if string(h.bytes) != h.was {
			t.wrong("the bytes of "+h.how+" after "+when, h.bytes, h.was)
		}
	}
}

// useMemory stores, reads and removes further entries of the size of value.
func (t *attempt) useMemory(value string) {
	items := sameItems(keys("further", 16), strings.Repeat("#", len(value)))
	t.setMany(items, time.Hour)
	for key, value := range items {
		t.set(key, value, time.Hour)
		t.get(key)
	}
	t.readInAllWays("further1") // and further12
	t.deleteMany(keys("further", 16)...)
}

func bytesGotStay(t *attempt) {
	for i, c := range memoryChanges {
		if !t.supports(c.needs) {
			continue
		}
		key := fmt.Sprintf("k%d", i)
		t.setMany(map[string]string{key: c.value, key + "2": c.value}, time.Hour)
		read := t.readInAllWays(key)
		t.set(key, c.value, time.Hour) // also what SetMany has stored
		read = append(read, t.readInAllWays(key)...)
		c.call(t, key, c.value)
		t.stay(c.name, read)
		t.useMemory(c.value)
		t.stay(c.name+" and further calls", read)
	}
	if t.supports(Threshold) && t.mode == bare {
		t.evictedBytesStay()
	}
}

// readInAllWays reads key by every operation that returns bytes.
func (t *attempt) readInAllWays(key string) (read []held) {
	keep := func(how string, value []byte, err error) {
		t.must(how, err)
		read = append(read, held{how, value, string(value)})
	}
	value, _, err := t.handle.Get(t.ctx, key)
	keep("Get", value, err)
	for _, value := range t.getMany(key, key+"2", key) {
		keep("GetMany", value, nil)
	}
	value, _, err = t.handle.GetAppend(t.ctx, key, nil)
	keep("GetAppend", value, err)
	if t.supports(GetWithTTL) {
		value, _, _, err = t.handle.GetWithTTL(t.ctx, key)
		keep("GetWithTTL", value, err)
		values, _ := t.getManyWithTTL(key, key+"2")
		keep("GetManyWithTTL", values[0], nil)
		keep("GetManyWithTTL", values[1], nil)
	}
	if t.supports(Lease) {
		value, _, _, err = t.handle.Lease(t.ctx, key, time.Second)
		keep("Lease", value, err)
	}
	return read
}

// evictedBytesStay reads entries of a bounded store until they are evicted.
func (t *attempt) evictedBytesStay() {
	b := t.openBounded()
	var read []held
	for i, key := range keys("k", 5*threshold) {
		value := fmt.Sprintf("%064d", i)
		t.must("Set in a bounded store", b.Set(t.ctx, key, []byte(value), time.Hour))
		got, ok, err := b.Get(t.ctx, key)
		t.must("Get in a bounded store", err)
		if ok {
			read = append(read, held{"Get", got, string(got)})
		}
	}
	t.stay("its eviction", read)
}

func bytesGivenStay(t *attempt) {
	for i, c := range memoryChanges {
		if !t.supports(c.needs) {
			continue
		}
		var all []held
		for _, w := range []struct {
			name  string
			needs Feature
		}{{"Set", ""}, {"Set over an entry", ""}, {"Add", ""}, {"SetMany", ""}, {"Fill", Lease}, {"CompareAndSwap", Swap}} {
			if !t.supports(w.needs) {
				continue
			}
			key := fmt.Sprintf("k%d-%s", i, strings.ReplaceAll(w.name, " ", ""))
			given := t.give(w.name, key, c.value)
			t.stay("the call", given)
			t.get(key)
			c.call(t, key, c.value)
			t.stay(c.name, given)
			all = append(all, given...)
		}
		t.useMemory(c.value)
		t.stay(c.name+" and further calls", all)
	}
}

// give stores value under key by an operation, and returns the bytes that it received.
func (t *attempt) give(operation, key, value string) []held {
	given := []held{{operation, []byte(value), value}}
	bytes, stored := given[0].bytes, t.cacheKey(key)
	var err error
	ok := true
	switch operation {
	case "Set":
		err = t.handle.Set(t.ctx, key, bytes, time.Hour)
	case "Set over an entry":
		t.set(key, otherText, time.Hour)
		err = t.handle.Set(t.ctx, key, bytes, time.Hour)
	case "Add":
		ok, err = t.handle.Add(t.ctx, key, bytes, time.Hour)
	case "SetMany":
		if t.mode == bare {
			err = t.handle.bare.SetMany(t.ctx, []driver.Item{{Key: stored, Value: bytes}}, time.Hour)
		} else {
			err = t.cache.SetMany(t.ctx, map[string][]byte{stored: bytes}, cache.Timeout(time.Hour))
		}
	case "Fill":
		ok, err = t.handle.Fill(t.ctx, key, t.lease("absent key", key, driver.MaxHold), bytes, time.Hour)
	case "CompareAndSwap":
		old := []byte(otherText)
		given = append(given, held{"the old value of CompareAndSwap", old, otherText})
		t.set(key, otherText, time.Hour)
		ok, err = t.handle.CompareAndSwap(t.ctx, key, old, bytes, time.Hour)
	}
	t.must(operation, err)
	equal(t, operation+" stores", ok, true)
	return given
}
