package loader

import (
	"context"
	"slices"
	"sync"
)

// run is a running load of one or several keys. Runs are the nodes of a graph of loads that
// wait for each other. The graph spans all Loaders, because a cycle may involve several.
type run struct {
	waitsFor []*run        // guarded by waits
	awaited  bool          // guarded by waits
	urgent   chan struct{} // closed when another load waits for this one
}

var waits sync.Mutex

func newRun() *run { return &run{urgent: make(chan struct{})} }

type runKey struct{}

// runOf returns the load that ctx belongs to, or nil.
func runOf(ctx context.Context) *run {
	r, _ := ctx.Value(runKey{}).(*run)
	return r
}

// await records that parent waits for r. It reports false, and records nothing, if r
// waits for parent, directly or through others.
func (parent *run) await(r *run) bool {
	waits.Lock()
	defer waits.Unlock()
	if r.reaches(parent) {
		return false
	}
	parent.waitsFor = append(parent.waitsFor, r)
	if !r.awaited {
		r.awaited = true
		close(r.urgent)
	}
	return true
}

func (parent *run) stopWaiting(r *run) {
	waits.Lock()
	defer waits.Unlock()
	if i := slices.Index(parent.waitsFor, r); i >= 0 {
		parent.waitsFor = slices.Delete(parent.waitsFor, i, i+1)
	}
}

// reaches terminates because await permits no cycles.
func (r *run) reaches(target *run) bool {
	return r == target || slices.ContainsFunc(r.waitsFor, func(next *run) bool { return next.reaches(target) })
}
