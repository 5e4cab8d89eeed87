package memcached

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// incrementWhileRead makes the server answer the next reads as it does if an increment
// replaces the item that is being sent: with the old value and the new CAS number.
func (f *fake) incrementWhileRead(reads int) {
	f.answers(func(_ int, command string) string {
		isGet, isGets, isBinary := strings.HasPrefix(command, "get "), strings.HasPrefix(command, "gets "), strings.HasPrefix(command, "0x0c")
		old, _ := f.at("k")
		if reads == 0 || !isGet && !isGets && !isBinary {
			return ""
		}
		reads--
		n, _ := strconv.Atoi(old.value)
		f.store("k", entry{value: strconv.Itoa(n + 1000)})
		now, _ := f.at("k")
		switch {
		case isBinary:
			return frame(codeGet, 0, 0, now.cas, "\x00\x00\x00\x00", "k", old.value)
		case isGets:
			return fmt.Sprintf("VALUE k 0 %d %d\r\n%s\r\nEND\r\n", len(old.value), now.cas, old.value)
		}
		return fmt.Sprintf("VALUE k 0 %d\r\n%s\r\nEND\r\n", len(old.value), old.value)
	})
}

func TestSwapDoesNotUndoAnIncrement(t *testing.T) {
	each(t, func(t *testing.T, f *fake, b *Backend) {
		for reads := range 4 {
			f.store("k", entry{value: "5"})
			f.incrementWhileRead(reads)
			swapped, err := b.CompareAndSwap(t.Context(), "k", []byte("5"), []byte("6"), 0)
			if err != nil || swapped != (reads == 0) {
				t.Errorf("%d increments: CompareAndSwap = %v, %v", reads, swapped, err)
			}
			if got, _ := f.at("k"); (got.value == "6") != swapped {
				t.Errorf("%d increments: the value is %s after CompareAndSwap", reads, got.value)
			}
			if b.meta == nil {
				continue // no counters below zero, and gomemcache does not compare
			}
			f.store("k", entry{value: "5"})
			f.incrementWhileRead(reads)
			const delta = -50_000 // needs a replacement
			sum, err := b.Inc(t.Context(), "k", delta, 0)
			if got, _ := f.at("k"); err != nil || sum != int64(5+1000*reads+delta) || got.value != strconv.FormatInt(sum, 10) {
				t.Errorf("%d increments: Inc = %d, %v; the value is %s", reads, sum, err, got.value)
			}
		}
	})
}
