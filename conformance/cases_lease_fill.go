package conformance

import (
	"fmt"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/core/driver"
)

// write is a way to change a key.
type write struct {
	name  string
	needs Feature // "" if every backend supports it
	call  func(t *attempt, key string, ttl time.Duration)
	left  string // the value of the key afterwards, "" if the key is absent
}

var writes = []write{
	{"Set", "", func(t *attempt, key string, ttl time.Duration) { t.set(key, "new", ttl) }, "new"},
	{"SetMany", "", func(t *attempt, key string, ttl time.Duration) { t.setMany(sameItems([]string{key}, "new"), ttl) }, "new"},
	{"SetMany after another key", "", func(t *attempt, key string, ttl time.Duration) {
		t.setMany(sameItems([]string{key + "-0", key, key + "-1"}, "new"), ttl)
	}, "new"},
	{"DeleteMany after another key", "", func(t *attempt, key string, _ time.Duration) {
		equal(t, "keys that DeleteMany of a leased key reports", len(t.deleteMany(key+"-0", key, key+"-1")), 0)
	}, ""},
	{"Add", "", func(t *attempt, key string, ttl time.Duration) {
		equal(t, "Add of a leased key", t.add(key, "new", ttl), true)
	}, "new"},
	{"Inc", Counter, func(t *attempt, key string, ttl time.Duration) {
		equal(t, "Inc of a leased key by 7", t.inc(key, 7, ttl), 7)
	}, "7"},
	{"Set and CompareAndSwap", Swap, func(t *attempt, key string, ttl time.Duration) {
		t.set(key, "old", time.Hour)
		equal(t, "CompareAndSwap", t.swap(key, "old", "new", ttl), true)
	}, "new"},
	{"Delete", "", func(t *attempt, key string, _ time.Duration) {
		equal(t, "Delete of a leased key", t.delete(key), false)
	}, ""},
	{"DeleteMany", "", func(t *attempt, key string, _ time.Duration) {
		equal(t, "keys that DeleteMany of a leased key reports", len(t.deleteMany(key)), 0)
	}, ""},
	{"Set and Delete", "", func(t *attempt, key string, ttl time.Duration) {
		t.set(key, "new", ttl)
		equal(t, "Delete after Set", t.delete(key), true)
	}, ""},
	{"Delete and another Lease and Fill", "", func(t *attempt, key string, ttl time.Duration) {
		t.delete(key)
		token := t.lease("after Delete", key, driver.MaxHold)
		equal(t, "Fill after Delete and Lease", t.fillLease(key, token, "new", ttl), true)
	}, "new"},
}

// writesOf returns the writes that the backend supports.
func (t *attempt) supportedWrites() []write {
	var list []write
	for _, w := range writes {
		if w.needs == "" || t.supports(w.needs) {
			list = append(list, w)
		}
	}
	return list
}

func fillAfterWrite(t *attempt) {
	handles := t.handles()
	for i, w := range t.supportedWrites() {
		for j, ttl := range []time.Duration{time.Hour, 0} {
			key, after := fmt.Sprintf("k%d-%d", i, j), "after Lease and "+w.name
			token := t.lease("absent key", key, driver.MaxHold)
			t.through(handles[j%len(handles)], func() { w.call(t, key, ttl) })
			if w.left != "" {
				t.hasTTL(after, key, ttl)
			}
			t.refuses(after, key, token)
			t.release(key, token)
			if w.left != "" {
				t.hit(after+" and a refused Fill", key, w.left)
				t.hasTTL(after+" and a refused Fill", key, ttl)
				continue
			}
			t.miss(after+" and a refused Fill", key)
			t.fills(after+" and Lease", key, t.lease(after, key, driver.MaxHold), "fresh")
		}
	}
}

// fillAfterHistory leases keys of each past, and writes each in each way.
func fillAfterHistory(t *attempt) {
	pasts := []string{"expired", "deleted", "filled"}
	key := func(past string, i int) string { return fmt.Sprintf("%s%d", past, i) }
	writes := t.supportedWrites()
	ttl := t.shortTTL()
	used := map[string]string{}
	for i := range writes {
		t.set(key("expired", i), "old", ttl)
		t.set(key("deleted", i), "old", time.Hour)
		filled := key("filled", i)
		used[filled] = t.lease("absent key", filled, driver.MaxHold)
		equal(t, "Fill", t.fillLease(filled, used[filled], "old", 0), true)
		t.delete(key("deleted", i))
		t.delete(filled)
	}
	t.set("held", "old", ttl)
	t.pass(ttl + t.resolution())
	for i, w := range writes {
		for _, past := range pasts {
			key, after := key(past, i), past+", Lease and "+w.name
			if old := used[key]; old != "" {
				t.refuses("with a used token", key, old)
			}
			token := t.lease(past+" key", key, driver.MaxHold)
			w.call(t, key, time.Hour)
			t.refuses(after, key, token)
			if w.left != "" {
				t.hit(after+" and a refused Fill", key, w.left)
				continue
			}
			t.miss(after+" and a refused Fill", key)
			t.fills(after+" and Lease", key, t.lease(after, key, driver.MaxHold), "fresh")
		}
	}
	t.lease("expired key", "held", ttl)
	t.pass(ttl + t.resolution())
	t.fills("expired key, after hold", "held", t.lease("expired key, after hold", "held", driver.MaxHold), "new")
}

func fillTooLate(t *attempt) {
	ttl := t.shortTTL()
	tokens := map[string]string{}
	late := t.lease("absent key", "late", ttl)
	for _, w := range t.supportedWrites() {
		if w.left == "" {
			continue
		}
		key := strings.ReplaceAll(w.name, " ", "-") // some stores support no spaces
		tokens[key] = t.lease("absent key", key, driver.MaxHold)
		w.call(t, key, ttl)
	}
	used := t.lease("absent key", "used", driver.MaxHold)
	equal(t, "Fill", t.fillLease("used", used, "v", ttl), true)
	tokens["used"] = used
	t.pass(ttl + t.resolution())
	for key, token := range tokens {
		after := "after Lease and " + key + " with a short ttl that has passed"
		t.refuses(after, key, token)
		t.miss(after, key)
		t.fills(after, key, t.lease(after, key, driver.MaxHold), "fresh")
	}
	t.refuses("after hold", "late", late)
	t.miss("after hold and a refused Fill", "late")
}

func filledEntry(t *attempt) {
	ttl := t.shortTTL()
	fill := func(key, value string, ttl time.Duration) {
		token := t.lease("absent key", key, driver.MaxHold)
		equal(t, "Fill", t.fillLease(key, token, value, ttl), true)
		t.hasTTL(fmt.Sprintf("after Fill with %v", ttl), key, ttl)
	}
	fill("never", "v", 0)
	fill("hour", "\x00binary\r\n", time.Hour)
	fill("empty", "", time.Hour)
	before := t.now()
	fill("short", "v", ttl)
	t.notExpiredEarly("short", before, ttl)
	t.pass(ttl + t.resolution())
	t.miss("after the ttl of Fill", "short")
	t.hit("after Fill with 0", "never", "v")
	t.hit("after Fill with 1h", "hour", "\x00binary\r\n")
	t.hit("after Fill with an empty value", "empty", "")
	equal(t, "Has after Fill with an empty value", t.has("empty"), true)
	if limit := t.harness.Limits.MaxValue; limit != 0 {
		token := t.lease("absent key", "large", driver.MaxHold)
		_, err := t.handle.Fill(t.ctx, "large", token, make([]byte, limit+1), time.Hour)
		t.errorIs("Fill with a value over the limit", err, driver.ErrTooLarge)
		t.miss("after Fill returned ErrTooLarge", "large")
	}
}

func fillWithLostReply(t *attempt) {
	w := t.openProxied()
	for i, newer := range []string{"", "newer"} {
		var key, token string
		var filled bool
		w.untilLost(func(try int) (err error) {
			key = fmt.Sprintf("lost-fill-%d-%d", i, try)
			token = w.acquire("Lease through the proxy", key)
			w.inject(proxy.LostReply)
			begin := time.Now()
			filled, err = w.handle.Fill(t.ctx, key, token, []byte("loaded"), time.Hour)
			if !filled || err != nil {
				t.isUnknown(fmt.Sprintf("Fill whose reply was lost (it returned %v)", filled), begin, err)
			}
			return err
		})
		w.recovers("a lost reply")
		if value, ok := w.get(key); ok && string(value) != "loaded" {
			t.wrong("Get after a Fill whose reply was lost", value, text("the value or a miss"))
		}
		if newer != "" {
			w.set(key, []byte(newer))
		} else {
			w.succeeds("Delete", func() error { _, err := w.handle.Delete(t.ctx, key); return err })
		}
		w.succeeds("Fill again", func() (err error) {
			filled, err = w.handle.Fill(t.ctx, key, token, []byte("loaded"), time.Hour)
			return err
		})
		equal(t, "Fill again after a write", filled, false)
		value, _ := w.get(key)
		equal(t, "the value after a write and another Fill", string(value), newer)
	}
}
