package simple

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// Keys with equal buckets, tags or both are inserted into and removed from a full
// table in random order: exactly the present keys are found, and removed keys leave
// no count.
func TestTable(t *testing.T) {
	for _, test := range []struct {
		name string
		hash func(i int) uint64
	}{
		{"spread", func(i int) uint64 { return rand.Uint64() }},
		{"one tag", func(i int) uint64 { return uint64(rand.Uint32()) }},
		{"one home", func(i int) uint64 { return uint64(i) << 32 }},
		{"the last home", func(i int) uint64 { return uint64(i)<<32 | 0xffffffff }},
		{"one hash", func(i int) uint64 { return 42 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			const keys = 60
			table := newTable(keys-targetLoad, new(usage))
			hashes := make([]uint64, keys)
			nodes := make([]*node, keys)
			at := make([]uint32, keys)
			for i := range hashes {
				hashes[i] = test.hash(i)
			}
			for range 50 * keys {
				i := rand.IntN(keys)
				if nodes[i] != nil {
					if !table.remove(at[i], nodes[i]) {
						t.Fatalf("key %d could not be removed", i)
					}
					nodes[i] = nil
				} else {
					nodes[i] = &node{key: strconv.Itoa(i), hash: uint32(hashes[i])}
					at[i] = table.insert(nodes[i], tagOf(hashes[i]))
				}
				for j := range keys {
					if found, _ := table.find(hashes[j], strconv.Itoa(j)); found != nodes[j] {
						t.Fatalf("find(%d) = %p, want %p", j, found, nodes[j])
					}
				}
			}
			for i, n := range nodes {
				if n != nil {
					table.remove(at[i], n)
				}
			}
			if table.usage.nodes != 0 {
				t.Errorf("%d nodes counted in an empty table", table.usage.nodes)
			}
			for i := range table.buckets {
				if passed := table.buckets[i].tags.Load() >> passedShift; passed != 0 {
					t.Errorf("%d keys pass through bucket %d of an empty table", passed, i)
				}
			}
		})
	}
}

// With more keys than a bucket can count, the count stays at its maximum and no key
// is lost.
func TestTableCounterSaturates(t *testing.T) {
	const keys = 2 * maxPassed
	table := newTable(keys, new(usage))
	nodes, at := make([]*node, keys), make([]uint32, keys)
	all := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if found, _ := table.find(0, strconv.Itoa(i)); found != nodes[i] {
				t.Fatalf("key %d of %d to %d is lost", i, from, to)
			}
		}
	}
	for i := range keys {
		nodes[i] = &node{key: strconv.Itoa(i)}
		at[i] = table.insert(nodes[i], 0)
		all(0, i+1)
	}
	for i := range keys {
		table.remove(at[i], nodes[i])
		all(i+1, keys)
	}
}

// Nodes are removed from the old table before they are inserted into the new one, so
// that no writer replaces them in the old one.
func TestTableMove(t *testing.T) {
	const keys = 100
	old := newTable(keys, new(usage))
	larger := newTable(2*keys, old.usage)
	slots := map[*node]*slot{}
	for i := range keys {
		n := &node{key: strconv.Itoa(i), hash: uint32(i) << 25}
		old.insert(n, tagOf(uint64(i)<<32))
		_, slots[n] = old.find(uint64(i)<<32|uint64(n.hash), n.key)
	}
	moved := 0
	old.moveTo(larger, func(n *node, at uint32) {
		moved++
		if !old.moved.Load() {
			t.Error("the old table is not marked as moved")
		}
		if slots[n].CompareAndSwap(n, &node{key: n.key}) {
			t.Errorf("%s was replaced in the old table", n.key)
		}
		if larger.slot(at).Load() != n {
			t.Errorf("%s is not in its reported slot", n.key)
		}
	})
	for n := range slots {
		i, _ := strconv.Atoi(n.key)
		if found, _ := larger.find(uint64(i)<<32|uint64(n.hash), n.key); found != n {
			t.Errorf("%s is lost", n.key)
		}
	}
	if moved != keys || larger.usage.nodes != keys {
		t.Errorf("%d nodes moved, %d counted, want %d", moved, larger.usage.nodes, keys)
	}
}

// A removed node cannot be removed or replaced again.
func TestTableRemoveTwice(t *testing.T) {
	table := newTable(10, new(usage))
	n := &node{key: "key"}
	at := table.insert(n, 0)
	_, slot := table.find(0, "key")
	if !table.remove(at, n) || table.remove(at, n) || slot.CompareAndSwap(n, &node{key: "key"}) {
		t.Error("removed twice, or replaced after it was removed")
	}
}

func TestMatch(t *testing.T) {
	for tag := range 256 {
		for i := range slotsPerBucket {
			others := uint64(0xff^tag) * 0x0101010101010101
			tags := others&^(0xff<<(8*i)) | uint64(tag)<<(8*i)
			if m := match(tags, uint8(tag)); m != 0x80<<(8*i) {
				t.Fatalf("tag %#x in byte %d: %#x", tag, i, m)
			}
			if m := match(others, uint8(tag)); m != 0 {
				t.Fatalf("tag %#x in no byte: %#x", tag, m)
			}
		}
	}
}
