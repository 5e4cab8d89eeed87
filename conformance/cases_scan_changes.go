package conformance

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/core/driver"
)

// This file has the rules about a scan during which something happens.

// scanned is the number of entries in these cases. It is more than the steps of most
// stores.
const scanned = 2000

// setScanned stores entries for a scan.
func (t *attempt) setScanned(h *handle, name string, n int) (list []string) {
	list = keys(name, n)
	for chunk := range slices.Chunk(list, 500) {
		t.step()
		t.must("SetMany", h.SetMany(t.ctx, sameItems(chunk, "v"), time.Hour))
	}
	return list
}

// scanWhileOthersWrite scans while the body of the loop and another caller store and
// remove other entries, so many that a table grows and places are used again.
func scanWhileOthersWrite(t *attempt) {
	n := t.fewer(scanned / 2)
	stay := t.setScanned(t.handle, "stay", n)
	change := t.setScanned(t.handle, "change", n)
	handles := t.handles()
	var scanning atomic.Bool
	scanning.Store(true)
	t.concurrently(2, func(worker int) {
		half := change[worker*n/2:][:n/2]
		if worker == 0 {
			defer scanning.Store(false)
			t.isStable(stay, func(at int) { t.replace(t.handle, half, at) })
			return
		}
		for at := 0; scanning.Load() && at < 200; at++ {
			t.replace(handles[len(handles)-1], half, at)
		}
	})
	t.isStable(stay, func(int) {})
}

// replace removes some entries of list, stores as many new ones, and stores the removed
// ones again, or overwrites others.
func (t *attempt) replace(h *handle, list []string, at int) {
	const some = 20
	from := at * some % (len(list) - some)
	chunk := list[from : from+some]
	if at%3 > 0 {
		_, err := h.DeleteMany(t.ctx, chunk...)
		t.must("DeleteMany", err)
		t.must("SetMany", h.SetMany(t.ctx, sameItems(keys(fmt.Sprintf("new-%s-%d-", chunk[0], at%10), some), "v"), time.Hour))
	}
	t.must("SetMany", h.SetMany(t.ctx, sameItems(chunk, "v"), time.Hour))
}

// isStable scans, and stops the case if an entry of stay is not listed exactly once, or
// another key twice. It calls meanwhile now and then.
func (t *attempt) isStable(stay []string, meanwhile func(at int)) {
	count := map[string]int{}
	pairs := 0
	for entry, err := range t.handle.Scan(t.ctx, "") {
		t.must("Scan while others write", err)
		t.step(entry.Key)
		if pairs++; pairs%50 == 0 {
			meanwhile(pairs / 50)
		}
		if count[entry.Key]++; count[entry.Key] == 2 {
			t.stop("Scan while others write, how often it lists "+show(entry.Key), 2, text("once or not at all"))
		}
	}
	missing := slices.DeleteFunc(slices.Clone(stay), func(key string) bool { return count[key] > 0 })
	if len(missing) > 0 {
		t.stop(fmt.Sprintf("Scan while others write, the entries that it misses of %d that do not change", len(stay)),
			fmt.Sprintf("%d, such as %q", len(missing), missing[0]), text("none"))
	}
}

func bodyOfScanCallsTheBackend(t *attempt) {
	list := keys("k", 20)
	t.setMany(sameItems(list, "v"), time.Hour)
	operations := t.supported(keyOperations)
	calls := 0
	t.finishes("a loop over Scan whose body calls the backend", func() {
		t.delete("body")
		for entry, err := range t.handle.Scan(t.ctx, "k") {
			t.must("Scan", err)
			for _, op := range operations {
				t.must(op.name+" in a loop over Scan", op.call(t.ctx, t.handle, "body"))
			}
			t.hit("in a loop over Scan", entry.Key, "v")
			equal(t, "the entries of a Scan in a loop over Scan", len(t.scan("k")), len(list)-calls)
			equal(t, "Delete of the listed key", t.delete(entry.Key), true)
			calls++
		}
		equal(t, "the entries of a Scan whose loop deletes them", calls, len(list))
		t.setMany(sameItems(list, "v"), time.Hour)
		for range t.handle.Scan(t.ctx, "k") {
			break
		}
		scan := t.handle.Scan(t.ctx, "k")
		for range 2 {
			n := 0
			for _, err := range scan {
				t.must("Scan", err)
				n++
			}
			equal(t, "the entries of each loop over one result of Scan", n, len(list))
		}
	})
}

func scanIsCompleteOrFails(t *attempt) {
	n := t.fewer(scanned)
	list := t.setScanned(t.handle, "k", n)
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	found, err := t.scanWith(ctx, t.handle, cancel)
	t.errorIs(fmt.Sprintf("Scan that is cancelled after the first of %d entries", n), err, context.Canceled)
	if err != nil && len(found) != 1 {
		t.wrong("the entries of Scan, which is cancelled after the first one", len(found), 1)
	}
	found, err = t.scanWith(t.ctx, t.handle, func() { t.must("Close", t.close()) })
	t.isCompleteOr("Scan, with Close after the first entry", found, list, err, driver.ErrClosed)
}

// scanWith scans until the list ends, and calls meanwhile after the first entry. It
// returns the keys before the error.
func (t *attempt) scanWith(ctx context.Context, h *handle, meanwhile func()) (found []string, failed error) {
	for entry, err := range h.Scan(ctx, "k") {
		t.step()
		if failed != nil {
			t.stop("a pair of Scan after an error", text(fmt.Sprint(entry.Key, " ", err)), text("no further pair"))
		}
		if failed = err; err != nil {
			if entry != (driver.Entry{}) {
				t.wrong("the entry beside an error of Scan", entry, text("a zero Entry"))
			}
			continue
		}
		if found = append(found, entry.Key); len(found) == 1 {
			meanwhile()
		}
	}
	return found, failed
}

// isCompleteOr records a failure if a list without an error is not complete, or the error
// does not wrap want.
func (t *attempt) isCompleteOr(what string, found, all []string, err, want error) {
	if err != nil {
		t.errorIs(what, err, want)
		return
	}
	slices.Sort(found)
	t.differs(what+" ends without an error", found, all)
}

func scanEndsEarly(t *attempt) {
	loops := t.fewer(50)
	t.setScanned(t.handle, "k", t.fewer(scanned))
	var early [2]int
	pprof.Do(t.ctx, pprof.Labels("conformance", t.id+"-scan"), func(ctx context.Context) {
		b := driver.Resolve(t.show(t.harness.New(t.test)))
		t.toClose = append(t.toClose, b)
		for key := range 100 { // not all of these need be present
			t.must("Set", b.Set(ctx, t.storedKey("k"+strconv.Itoa(key)), []byte("v"), time.Hour))
		}
		end := func(n int) {
			for range n {
				t.step()
				for _, err := range b.Scan(ctx, t.storedKey("k")) {
					t.must("Scan", err)
					break
				}
				cancelled, cancel := context.WithCancel(ctx)
				for range b.Scan(cancelled, t.storedKey("k")) {
					cancel()
				}
				cancel()
			}
		}
		end(2) // opens what the backend keeps
		early[0] = countGoroutines(t.id + "-scan")
		for range loops {
			t.finishes("loops over Scan that end early, and Get after them", func() {
				end(1)
				_, _, err := b.Get(ctx, t.storedKey("k0"))
				t.must("Get after loops over Scan that ended early", err)
			})
		}
		for range 1000 {
			if early[1] = countGoroutines(t.id + "-scan"); early[1] < early[0]+loops/2 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	if early[1] >= early[0]+loops/2 {
		t.wrong(fmt.Sprintf("goroutines ten seconds after %d loops over Scan that ended early", 2*loops), early[1], text(fmt.Sprintf("about %d, as before", early[0])))
	}
}

// countGoroutines returns the number of goroutines that have label.
func countGoroutines(label string) (n int) {
	for _, group := range labelledGoroutines(label) {
		if count := sameStack.FindStringSubmatch(group); count != nil {
			same, _ := strconv.Atoi(count[1])
			n += same
		}
	}
	return n
}

// sameStack is the line of a profile that has the number of goroutines with one stack.
var sameStack = regexp.MustCompile(`(?m)^(\d+) @`)

// scanKeepsOrderOfEviction compares which entries stores keep that are filled in the same
// way, with and without scans.
func scanKeepsOrderOfEviction(t *attempt) {
	kept := func(scan bool) (present string) {
		b := driver.Resolve(t.openBounded())
		scans := func() {
			if scan {
				for range 3 {
					for _, err := range b.Scan(t.ctx, "") {
						t.must("Scan", err)
					}
				}
			}
		}
		old := keys("old", threshold)
		for _, key := range old {
			t.setIn(b, key, time.Hour)
		}
		scans()
		for range 3 {
			t.countIn(b, old[:threshold/4])
		}
		scans()
		for _, key := range keys("new", threshold/2) {
			t.setIn(b, key, time.Hour)
		}
		scans()
		for _, key := range keys("newest", threshold/4) {
			t.setIn(b, key, time.Hour)
		}
		for _, key := range old {
			present += strconv.Itoa(t.countIn(b, []string{key}))
		}
		return present
	}
	without := kept(false)
	for range 4 {
		if kept(false) != without {
			t.notApplicable("chance decides which entry is evicted")
		}
	}
	got := ""
	for range 3 {
		if got = kept(true); got == without {
			return
		}
	}
	t.wrong("the old entries (1: present) of a full store after Scan and further Sets", text(got), text(without+", as without Scan"))
}

func connectionOfScanLost(t *attempt) {
	p := t.openProxied()
	list := keys("k", t.fewer(scanned))
	for chunk := range slices.Chunk(list, 500) {
		p.succeeds("SetMany", func() error { return p.handle.SetMany(t.ctx, sameItems(chunk, "v"), time.Hour) })
	}
	for _, c := range []struct {
		name    string
		fault   func()
		timeout time.Duration // of the context, which is not to end before the refusal
	}{
		{"connections that are refused", func() { p.inject(proxy.Refuse); p.Drop() }, time.Minute},
		{"a server that does not answer", func() { p.inject(proxy.Blackhole) }, time.Second},
	} {
		what := "Scan, with " + c.name + " after the first entry"
		var found []string
		err := t.returnsWithinAfter(func() { p.recovers("nothing") }, what, 3*time.Second, func() (err error) {
			ctx, cancel := context.WithTimeout(t.ctx, c.timeout)
			defer cancel()
			found, err = t.scanWith(ctx, p.handle, c.fault)
			return err
		})
		if errors.Is(err, context.DeadlineExceeded) && c.timeout == time.Second {
			err = driver.ErrUnavailable
		}
		t.isCompleteOr(what, found, list, err, driver.ErrUnavailable)
		p.Drop()
		p.recovers(c.name)
	}
}
