package guard

import "time"

const slots = 10

// window counts the calls and faults of the last ten tenths of a time. The zero value
// is ready to use.
type window struct {
	counts [slots]struct{ calls, faults int }
	last   time.Time // beginning of the newest slot
	newest int
}

// add counts one call at now in a window of the given width.
func (w *window) add(now time.Time, width time.Duration, isFault bool) {
	w.advance(now, width/slots)
	w.counts[w.newest].calls++
	if isFault {
		w.counts[w.newest].faults++
	}
}

// advance empties the slots that have become too old.
func (w *window) advance(now time.Time, slot time.Duration) {
	passed := int64(slots)
	if !w.last.IsZero() {
		passed = int64(now.Sub(w.last) / slot)
	}
	if passed >= slots {
		*w = window{last: now}
		return
	}
	for range passed {
		w.newest = (w.newest + 1) % slots
		w.counts[w.newest] = struct{ calls, faults int }{}
		w.last = w.last.Add(slot)
	}
}

func (w *window) sum() (calls, faults int) {
	for _, c := range w.counts {
		calls += c.calls
		faults += c.faults
	}
	return calls, faults
}
