package simple

// queues keeps the entries of a shard in two FIFO queues, doubly linked through one
// array of places. An entry keeps its place while it changes queues and while its
// node is replaced; the place of a removed entry is reused. Links are indexes of 4
// bytes instead of pointers, so that the garbage collector does not follow them.
// Guarded by the shard's lock.
type queues struct {
	// The first places are the queues themselves: each queue is a ring through its
	// own place, so that linking has no special cases.
	places []place
	free   uint32 // first of the unused places, linked by newer; 0 = none
	// load is the number of entries of each queue, or their weight in a cache that
	// is bounded in bytes.
	load [numQueues]int64
}

type place struct {
	at           uint32 // slot of the entry in the table
	older, newer uint32
	queue        queue
}

type queue uint8

const (
	small queue = iota // new entries
	main               // entries that were used
	numQueues
	unused = numQueues // marks a place without an entry
)

func newQueues(capacity int) queues {
	q := queues{places: make([]place, numQueues, capacity+int(numQueues))}
	for i := range uint32(numQueues) {
		q.places[i] = place{older: i, newer: i, queue: unused}
	}
	return q
}

// reserve returns a place for a new entry.
func (q *queues) reserve() uint32 {
	if id := q.free; id != 0 {
		q.free = q.places[id].newer
		return id
	}
	q.places = append(q.places, place{})
	return uint32(len(q.places) - 1)
}

// push makes the entry the newest of queue.
func (q *queues) push(id uint32, to queue, load int64) {
	end, p := &q.places[to], &q.places[id]
	p.older, p.newer, p.queue = end.older, uint32(to), to
	q.places[end.older].newer = id
	end.older = id
	q.load[to] += load
}

// unlink takes the entry out of its queue.
func (q *queues) unlink(id uint32, load int64) {
	p := &q.places[id]
	q.places[p.older].newer = p.newer
	q.places[p.newer].older = p.older
	q.load[p.queue] -= load
}

// remove frees the place of an entry.
func (q *queues) remove(id uint32, load int64) {
	q.unlink(id, load)
	q.places[id] = place{newer: q.free, queue: unused}
	q.free = id
}

// isAlone reports whether the entry is the only one of its queue.
func (q *queues) isAlone(id uint32) bool { return q.places[id].older == q.places[id].newer }

// oldest returns the entry that has been in a non-empty queue the longest.
func (q *queues) oldest(from queue) uint32 { return q.places[from].newer }
