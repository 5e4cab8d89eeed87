package simple

// sweep finds expired entries, which are evicted before live ones. It walks over the
// places of a shard, from where it last stopped to the next expired entry. An order
// by deadline would cost every Set time and memory, for an eviction that may never
// need it.
type sweep struct {
	soonest int64 // no entry has a deadline before this
	seen    int64 // earliest deadline seen in this walk
	next    int   // place to examine next
	credit  int   // places that may be examined
}

const (
	creditPerSet = 16   // bounds the average cost of a Set
	maxCredit    = 4096 // bounds the cost of one Set: 4,096 places take 10 µs
)

func newSweep() sweep { return sweep{soonest: never, seen: never} }

// admit records the deadline of an entry that is about to be stored.
func (s *shard) admit(deadline int64) {
	w := &s.sweep
	if deadline < w.soonest {
		w.soonest = deadline
		s.expect(deadline)
	}
	w.seen = min(w.seen, deadline)
	w.credit = min(w.credit+creditPerSet, maxCredit)
}

// evictExpired drops one expired entry, but not the one at the place keep, and reports
// whether it found one.
func (s *shard) evictExpired(keep uint32) bool {
	return s.dropExpired(s.clock.now(), &s.sweep.credit, keep)
}

// dropExpired drops the next expired entry and reports whether it found one. It
// examines at most credit places, which it subtracts from credit, and stops before the
// first place if nothing has expired.
func (s *shard) dropExpired(now int64, credit *int, keep uint32) bool {
	w := &s.sweep
	for ; *credit > 0; *credit-- {
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
		if n.deadline <= now && id != keep && s.drop(n) {
			s.expirations++
			return true
		}
		w.seen = min(w.seen, n.deadline)
	}
	return false
}
