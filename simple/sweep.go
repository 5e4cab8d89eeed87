package simple

// sweep looks for expired entries, which are to go before live ones. It walks
// over the places of a shard, from where it last stopped to the next expired
// entry. There is no order by deadline to maintain: that would cost each Set
// time and memory, for an eviction that may never need it.
type sweep struct {
	soonest int64 // no entry has a deadline before this
	seen    int64 // soonest of those already passed in this walk
	next    int   // place to look at next
	credit  int   // places that may be looked at
}

const (
	creditPerSet = 16   // makes the cost of looking constant per Set
	maxCredit    = 4096 // and bounds that of a single one
)

func newSweep() sweep { return sweep{soonest: never, seen: never} }

// admit takes note of an entry that is about to be stored.
func (w *sweep) admit(deadline int64) {
	w.soonest = min(w.soonest, deadline)
	w.seen = min(w.seen, deadline)
	w.credit = min(w.credit+creditPerSet, maxCredit)
}

// evictExpired drops one expired entry and reports whether it found one.
func (s *shard) evictExpired() bool {
	now := s.clock.now()
	w := &s.sweep
	for ; w.credit > 0; w.credit-- {
		if w.next >= len(s.queues.places) {
			w.soonest, w.seen, w.next = w.seen, never, 0
			if w.soonest > now {
				return false
			}
		}
		id := uint32(w.next)
		w.next++
		if s.queues.places[id].queue == unused {
			continue
		}
		n := s.node(id)
		if n.deadline <= now && s.drop(n) {
			return true
		}
		w.seen = min(w.seen, n.deadline)
	}
	return false
}
