package loader

import "testing"

func TestNonces(t *testing.T) {
	for range 1000 { // the start is random
		first := newNonce()
		if first == 0 || first.lag() != 1 {
			t.Fatalf("newNonce = %x", first)
		}
		takenOver := first.next(first.lag() + 1) // the same value
		loaded := takenOver.next(1)              // a value of a load that began then
		if n := takenOver.changesSince(first); n != 1 {
			t.Fatalf("%x is %d changes after %x, want 1", takenOver, n, first)
		}
		for _, test := range []struct {
			n, old nonce
			want   bool
		}{
			{first, first, true},
			{takenOver, takenOver, true},
			{takenOver, first, true},
			{loaded, takenOver, false},
			{loaded, first, false},
			{loaded, loaded, true},
			{loaded.next(2), takenOver, false}, // another Refresh has taken over
			{loaded.next(2), loaded, true},
			{loaded.next(1000), takenOver, true}, // unknown
		} {
			if test.n.lineage() != first.lineage() || test.n.isLoadedBefore(test.old) != test.want {
				t.Fatalf("is the value of %x from before %x: %v, want %v", test.n, test.old, !test.want, test.want)
			}
		}
	}
	last := nonce(0x0102030400000001 | maxChanges<<lagBits)
	if next := last.next(1); next != 0x0102030400000001 || next.changesSince(last) != 1 {
		t.Errorf("after %x comes %x", last, next)
	}
}
