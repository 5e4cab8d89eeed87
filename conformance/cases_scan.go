package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

var scanCases = []Case{
	{ID: "SCN-1", Name: "present_entries",
		Rule:     "Scan lists each present entry once, whichever operation and whichever handle stored it, and nothing else",
		Why:      "A copy of a cache or a report of its size is wrong if an entry is missing or counts twice.",
		Features: []Feature{Scan},
		run:      presentEntriesAreListed},
	{ID: "SCN-2", Name: "prefix",
		Rule:     "Scan lists exactly the keys that begin with the prefix, byte for byte",
		Why:      "A tool that removes or copies the entries of one program would touch those of another.",
		Features: []Feature{Scan},
		run:      scanOfPrefix},
	{ID: "SCN-3", Name: "ttl",
		Rule:     "Scan returns the remaining TTL of each entry, 0 only if it never expires, and changes neither the TTL nor the value",
		Why:      "A copy that lives longer than the original is stale, and one without expiry stays for ever.",
		Features: []Feature{Scan},
		run:      scanOfTTLs},
	{ID: "SCN-4", Name: "size",
		Rule:     "Scan returns the length of each value in bytes, or -1, and lists a large value once",
		Why:      "A report of the largest entries is useless if it counts parts, envelopes or keys.",
		Features: []Feature{Scan},
		run:      scanOfSizes},
	{ID: "SCN-5", Name: "absent_entries",
		Rule:     "Scan does not list entries that were deleted, cleared or have expired; until an entry expires its TTL is more than 0",
		Why:      "A report counts what no program can read, and a copy makes an entry live for ever whose last millisecond was rounded to 0.",
		Features: []Feature{Scan}, flags: needsTime,
		run: absentEntriesAreNotListed},
	{ID: "SCN-6", Name: "leases",
		Rule:     "Scan does not list a key that is leased, nor anything that the backend stores for a lease",
		Why:      "A marker that is copied to another store is a value there, or blocks the loads of its key.",
		Features: []Feature{Scan, Lease},
		run:      leasesAreNotListed},
	{ID: "SCN-7", Name: "while_others_write",
		Rule:     "while other entries are stored and removed, Scan lists each entry that does not change exactly once, and no key twice",
		Why:      "A live store always changes, and a copy or a report of it must not miss entries that stay.",
		Features: []Feature{Scan}, flags: needsOwnStore,
		run: scanWhileOthersWrite},
	{ID: "SCN-8", Name: "body_of_the_loop",
		Rule:     "the body of a loop over Scan may call every operation, another Scan included, and end the loop",
		Why:      "A tool reads or removes what it lists; a lock that is held meanwhile stops it and every other caller.",
		Features: []Feature{Scan}, flags: needsOwnStore,
		run: bodyOfScanCallsTheBackend},
	{ID: "SCN-9", Name: "complete_or_error",
		Rule:     "a list that is cut off by its context or by Close ends with the error",
		Why:      "A tool would take a part for the whole, and remove from the copy what it did not see.",
		Features: []Feature{Scan}, flags: needsOwnStore,
		run: scanIsCompleteOrFails},
	{ID: "SCN-10", Name: "early_end",
		Rule:     "a loop over Scan that ends early leaves no goroutine and holds no connection",
		Why:      "A program that looks for one entry again and again would exhaust its memory or its connection pool.",
		Features: []Feature{Scan}, flags: oneModeOnly | needsOwnStore,
		run: scanEndsEarly},
	{ID: "SCN-11", Name: "order_of_eviction",
		Rule:     "Scan does not change which entries a bounded store evicts",
		Why:      "If a listing counts as a use of every entry, the entries in use are evicted like the others.",
		Features: []Feature{Scan, Threshold}, flags: oneModeOnly | needsOwnStore | usesFreeTime,
		run: scanKeepsOrderOfEviction},
	{ID: "SCN-12", Name: "connection_lost",
		Rule:     "if the server is lost during a scan, the list is complete or ends with ErrUnavailable",
		Why:      "A backup that takes a part for the whole loses the rest without a word.",
		Features: []Feature{Scan, Network}, flags: oneModeOnly | needsOwnStore,
		run: connectionOfScanLost},
}

// scan returns what Scan lists, with the keys as the steps use them.
func (t *attempt) scan(prefix string) (list []driver.Entry) {
	t.step()
	for entry, err := range t.handle.Scan(t.ctx, prefix) {
		t.must("Scan("+show(prefix)+")", err)
		t.step(entry.Key)
		list = append(list, entry)
	}
	return list
}

func keysOf(list []driver.Entry) []string {
	keys := make([]string, len(list))
	for i, entry := range list {
		keys[i] = entry.Key
	}
	slices.Sort(keys)
	return keys
}

// lists records a failure if Scan of prefix does not list exactly want.
func (t *attempt) lists(when, prefix string, want ...string) {
	t.differs(when+": Scan("+show(prefix)+")", keysOf(t.scan(prefix)), want)
}

// differs records a failure if got and want do not have the same keys.
func (t *attempt) differs(what string, got, want []string) {
	want = slices.Sorted(slices.Values(want))
	if slices.Equal(got, want) {
		return
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(key string) bool { return slices.Contains(got, key) })
	other := slices.DeleteFunc(slices.Clone(got), func(key string) bool { return slices.Contains(want, key) })
	const some = 5
	t.wrong(fmt.Sprintf("%s (%d are missing: %.400q; %d others: %.400q)", what, len(missing), first(some, missing), len(other), first(some, other)),
		text(fmt.Sprintf("%d keys, %d of them different", len(got), len(slices.Compact(slices.Clone(got))))), text(fmt.Sprintf("%d keys", len(want))))
}

func first(n int, list []string) []string { return list[:min(n, len(list))] }

func presentEntriesAreListed(t *attempt) {
	t.lists("before any Set", "")
	var want []string
	for _, b := range births {
		if t.supports(b.needs) {
			list := keys(b.name, 3)
			b.store(t, list, time.Hour)
			want = append(want, list...)
		}
	}
	t.lists("after entries of each operation", "", want...)
	t.setMany(sameItems(want, "again"), 0)
	t.delete("Set0")
	t.deleteMany("SetMany0", "absent")
	want = slices.DeleteFunc(want, func(key string) bool { return key == "Set0" || key == "SetMany0" })
	t.set("empty", "", time.Hour)
	want = append(want, "empty")
	for _, key := range []string{"ü€😀", "a b", "a%2Fb", "a/b", "\x01", "a\x00b"} {
		if t.handle.Set(t.ctx, key, []byte("v"), time.Hour) == nil {
			want = append(want, key)
		}
	}
	t.lists("after overwrites, removals and unusual keys", "", want...)
	if t.canShare() {
		other := t.reopened()
		t.through(other, func() {
			t.set("other-handle", "v", time.Hour)
			want = append(want, "other-handle")
			t.lists("by another handle", "", want...)
		})
		t.lists("after Set by another handle", "", want...)
	}
}

func scanOfPrefix(t *attempt) {
	list := []string{"user:", "user:1", "user:10", "user:2", "User:1", "use", "xuser:1", "user;1", "ab", "a", "abc"}
	for _, key := range []string{"u*", "u*r", "user?1", "[u]ser:1", "u%", "u_er:1", `u\`, `user\:1`, "^user", "user:*", "ü", "ü:1", "üx"} {
		if t.handle.Set(t.ctx, key, []byte("v"), time.Hour) == nil {
			list = append(list, key)
		}
	}
	for _, key := range list {
		t.set(key, "v", time.Hour)
	}
	for _, prefix := range []string{"user:", "user:1", "user", "us", "u", "User", "a", "ab", "abc", "abcd", "none",
		"u*", "user?", "[u]", "u%", "u_", `u\`, `user\`, "^", "user:*", "*", "?", "ü"} {
		var want []string
		for _, key := range list {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		if t.harness.Limits.spells(prefix) {
			t.lists("beside other keys", prefix, want...)
		}
	}
}

func scanOfTTLs(t *attempt) {
	want := map[string]time.Duration{}
	for _, b := range births {
		if !t.supports(b.needs) {
			continue
		}
		for _, ttl := range []time.Duration{0, time.Minute + 500*time.Millisecond, 40 * day, 12 * year} {
			key := fmt.Sprintf("%s-%d", b.name, ttl)
			b.store(t, []string{key}, ttl)
			want[key] = ttl
		}
	}
	for i, ttls := range [][2]time.Duration{{0, time.Hour}, {time.Hour, 0}, {time.Hour, 2 * day}} {
		key := fmt.Sprintf("overwritten%d", i)
		t.set(key, "old", ttls[0])
		t.set(key, "7", ttls[1])
		want[key] = ttls[1]
	}
	for range 2 { // the second time it shows what the first one has changed
		list := t.scan("")
		for _, entry := range list {
			if ttl, stored := want[entry.Key]; stored {
				t.isLeftOf("Scan of "+show(entry.Key), entry.Key, entry.TTL, ttl)
			}
		}
		equal(t, "the number of listed entries", len(list), len(want))
	}
	for key, ttl := range want {
		t.hit("after Scan", key, "7")
		if ttl < 10*year { // a store may shorten a TTL of years
			t.hasTTL("after Scan", key, ttl)
		}
	}
}

func scanOfSizes(t *attempt) {
	want := map[string]int{}
	sizes := []int{0, 1, 2, 100, 1000, 4096, 70_000, 300_000}
	if limit := t.harness.Limits.maxValue(); limit != 0 {
		sizes = append(sizes, 2<<20) // perhaps stored in pieces
		for i := range sizes {
			sizes[i] = min(sizes[i], limit)
		}
	}
	for i, size := range sizes {
		key := fmt.Sprintf("k%d", i)
		t.must(fmt.Sprintf("Set of %d bytes", size), t.handle.Set(t.ctx, key, randomBytes(byte(i), size), time.Hour))
		want[key] = size
	}
	t.set("shrunk", strings.Repeat("x", 500), time.Hour)
	t.set("shrunk", "123", time.Hour)
	want["shrunk"] = 3
	if t.supports(Counter) {
		t.inc("n", 123456, time.Hour)
		want["n"] = 6
	}
	var listed []string
	for _, entry := range t.scan("") {
		listed = append(listed, entry.Key)
		if size := want[entry.Key]; entry.Size != int64(size) && entry.Size != -1 {
			t.wrong(fmt.Sprintf("the size that Scan returns for %s, a value of %d bytes", show(entry.Key), size), entry.Size, text(fmt.Sprintf("%d, or -1", size)))
		}
	}
	slices.Sort(listed)
	stored := make([]string, 0, len(want))
	for key := range want {
		stored = append(stored, key)
	}
	t.differs("Scan of values of many sizes", listed, stored)
}

func absentEntriesAreNotListed(t *attempt) {
	t.set("stays", "v", 0)
	t.set("deleted", "v", time.Hour)
	t.delete("deleted")
	t.setMany(sameItems([]string{"many1", "many2"}, "v"), time.Hour)
	t.deleteMany("many1", "many2")
	if t.supports(PrefixClear) {
		t.set("cleared1", "v", time.Hour)
		t.must("ClearPrefix", t.handle.ClearPrefix(t.ctx, "cleared"))
	}
	t.setExpired("expired1", "expired2")
	t.lists("after removals and expiry", "", "stays")
	ttl := t.shortTTL()
	t.set("brief", "v", ttl)
	for end := t.now().Add(ttl + t.resolution()); ; t.pass(ttl / 40) {
		began := t.now()
		list := t.scan("brief")
		if len(list) == 0 {
			break
		}
		if list[0].TTL <= 0 {
			t.stop("the TTL of an entry that expires", list[0].TTL, text("more than 0"))
		}
		if began.After(end) {
			t.stop("Scan after the TTL of an entry", text("it lists the entry"), text("it does not"))
		}
	}
	t.pass(ttl)
	t.lists("after the last entry with a TTL has expired", "", "stays")
}

func leasesAreNotListed(t *attempt) {
	t.set("present", "v", time.Hour)
	token := t.lease("absent key", "leased", driver.MaxHold)
	t.lists("with a leased key", "", "present")
	t.lists("with a leased key", "leased")
	filled := t.lease("absent key", "filled", driver.MaxHold)
	t.fills("leased key", "filled", filled, "loaded")
	t.lists("after Fill of another leased key", "", "present", "filled")
	t.release("leased", token)
	t.lists("after Release", "", "present", "filled")
	t.delete("filled")
	t.lists("after Delete of a key that was leased", "", "present")
}
