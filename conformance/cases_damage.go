package conformance

import (
	"slices"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// damageCases are rules about entries that the store has and the backend cannot read.
var damageCases = []Case{
	{ID: "BAS-15", Name: "damaged_entry_is_absent",
		Rule:          "a damaged entry is absent for every operation, though Scan may list it; a read may return ErrCorrupt; Set, Add and Fill replace it",
		Why:           "If Get misses and Add finds the entry present, a lock is held by nobody and can never be taken.",
		flags:         needsOwnStore,
		notApplicable: needsStore("Damage", func(s Stores) bool { return s.Damage != nil }),
		run:           damagedEntryIsAbsent},
}

// setDamaged stores an entry and damages it.
func (t *attempt) setDamaged(key string) {
	t.set(key, "7", time.Hour)
	t.harness.Stores.Damage(t.test, t.first, t.spelledKey(t.storedKey(key)))
}

// readsNothing records a failure if a read of a damaged entry is a hit, or fails for
// another reason.
func (t *attempt) readsNothing(what string, hit bool, err error) {
	if err != nil && !driver.IsCorrupt(err) {
		t.wrong(what+" of a damaged entry", err, text("a miss, or ErrCorrupt"))
	}
	equal(t, what+" of a damaged entry is a hit", hit, false)
}

func damagedEntryIsAbsent(t *attempt) {
	for _, key := range []string{"read", "set", "add", "delete", "many"} {
		t.setDamaged(key)
	}
	t.set("good", "v", time.Hour)
	_, ok, err := t.handle.Get(t.ctx, "read")
	t.readsNothing("Get", ok, err)
	t.must("GetAppend of a damaged entry", ignoreDamage(t.returnsDst("read")))
	values, err := t.handle.GetMany(t.ctx, "good", "read")
	if len(values) != 2 {
		t.stop("the number of results of GetMany of a damaged entry and a good one", len(values), 2)
	}
	t.readsNothing("GetMany", values[1] != nil, err)
	equal(t, "GetMany of a damaged entry and a good one", string(values[0]), "v")
	if t.supports(GetWithTTL) {
		_, _, ok, err := t.handle.GetWithTTL(t.ctx, "read")
		t.readsNothing("GetWithTTL", ok, err)
	}
	equal(t, "Has of a damaged entry", t.has("read"), false)
	if t.supports(Scan) && !slices.Contains(keysOf(t.scan("")), "good") {
		t.wrong("Scan of a store with a damaged entry", text("it does not list a good one"), text("it lists the good one"))
	}
	if t.supports(TTL) {
		_, ok, err := t.handle.TTL(t.ctx, "read")
		t.readsNothing("TTL", ok, err)
	}
	if t.supports(Swap) {
		swapped, err := t.handle.CompareAndSwap(t.ctx, "read", []byte("7"), []byte("8"), time.Hour)
		t.readsNothing("CompareAndSwap", swapped, err)
	}
	equal(t, "Delete of a damaged entry", t.delete("delete"), false)
	equal(t, "keys that DeleteMany of a damaged entry reports", len(t.deleteMany("many")), 0)
	t.set("set", "new", time.Hour)
	t.hit("damaged, then Set", "set", "new")
	for _, key := range []string{"add", "delete", "many"} {
		equal(t, "Add over a damaged entry, or after its removal", t.add(key, "new", time.Hour), true)
		t.hit("damaged, then Add", key, "new")
	}
	if t.supports(Lease) {
		t.setDamaged("lease")
		token := t.lease("damaged entry", "lease", driver.MaxHold)
		t.isLeased("damaged entry", "lease")
		t.fills("damaged entry", "lease", token, "loaded")
	}
}

// ignoreDamage returns err, nil if it says that an entry is damaged.
func ignoreDamage(err error) error {
	if driver.IsCorrupt(err) {
		return nil
	}
	return err
}
