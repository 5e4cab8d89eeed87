package conformance

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// attempt is one case in one mode. Cases call it t, because they use it as they
// would use testing.T: it also runs under Check, where there is no test.
//
// The operations of an attempt (steps.go) stop the case on an error. The
// operations of its handle return the error.
type attempt struct {
	ctx     context.Context
	test    *testing.T // nil under Check
	harness Harness
	mode    mode
	id      string       // unique to this case and mode, in lower case; part of keys and prefixes
	janitor *cache.Cache // removes the keys from a shared store; nil if the store is isolated
	absent  map[Feature]string
	short   bool
	rand    *rand.Rand

	suite      *suite
	rule       string         // the ID of the case
	first      driver.Backend // as the harness opened it
	shown      driver.Backend // first, with the keys in the alphabet of the store
	backend    driver.Backend // shown, as the mode shows it
	cache      *cache.Cache   // over backend
	handle     *handle        // the operations; through cache, except in the mode bare
	ownStore   bool           // only this attempt uses the store, and it may clear it
	closed     bool           // by the case
	toClose    []io.Closer    // after the case, from last to first
	pass       func(d time.Duration)
	clockAhead time.Duration // by how much Harness.Advance has moved the store's clock

	// For the watchdog.
	label         string        // of the goroutines
	opened, ended chan struct{} // closed when the backend is open, and after the attempt
	expire        func()        // ends ctx; nil in a bubble
	expired       atomic.Bool
	unlimited     atomic.Bool  // the case may take longer than attemptLimit
	steps         atomic.Int64 // how many steps the case has made
	sleeping      atomic.Int64 // for how long the case lets time pass
	hasPanicked   atomic.Bool

	callers atomic.Int64 // of concurrently that run: no step is the last one

	mu           sync.Mutex
	writtenAt    map[string]time.Time // by key, for the age of an entry
	lastKey      string               // of the last step, for messages
	failures     []failure
	obstacle     string // why the rule could not be judged
	inapplicable string // why the rule does not apply in this mode
	finished     bool
	abandoned    bool
}

var attempts atomic.Int64

// newAttempt returns an attempt at c, whose backend is not open yet.
func (s *suite) newAttempt(test *testing.T, c Case, m mode) *attempt {
	t := &attempt{
		suite: s, test: test, harness: s.harness, rule: c.ID, mode: m, absent: s.absent, short: s.short, janitor: s.janitor,
		id:        strings.ToLower(s.runID + "-" + c.ID + "-" + string(m)),
		rand:      rand.New(rand.NewPCG(s.report.Seed, uint64(crc32.ChecksumIEEE([]byte(c.ID))))),
		ownStore:  s.harness.Isolated,
		label:     fmt.Sprintf("attempt-%07d", attempts.Add(1)),
		opened:    make(chan struct{}),
		ended:     make(chan struct{}),
		writtenAt: map[string]time.Time{},
	}
	t.pass = t.sleepOrAdvance
	return t
}

// open opens the backend for c.
func (t *attempt) open(c Case) {
	defer close(t.opened)
	open := t.harness.New
	if allowed := t.harness.Stores.ClearAllowed; c.has(emptiesStore) && t.mode != prefixed && !t.ownStore && allowed != nil {
		open, t.ownStore = allowed, true
	}
	t.first = open(t.test)
	if t.first == nil {
		t.stop("Harness.New", text("nil"), text("a backend"))
	}
	t.shown = t.show(t.first)
	t.backend = t.shown
	if t.mode == fallback {
		t.backend = hideFallbacks(t.shown)
	}
	if !t.suite.keepOpen {
		t.toClose = append(t.toClose, t.first)
	}
	t.handle = t.newHandle()
	t.cache = t.handle.cache
}

// newHandle returns the operations on the backend as the mode calls them.
func (t *attempt) newHandle() *handle {
	prefix, keyPrefix := "", t.id+":"
	if t.mode == prefixed {
		prefix = t.id + ":"
	}
	if t.mode == prefixed || t.ownStore {
		keyPrefix = ""
	}
	h := &handle{
		cache: cache.New(t.backend, cache.WithPrefix(prefix)), prefix: keyPrefix,
		written: &keySet{prefix: prefix, keys: map[string]struct{}{}},
	}
	if t.mode == bare {
		h.bare = driver.Resolve(t.shown)
	}
	return h
}

// perform runs c and cleans up, whatever happens.
func (t *attempt) perform(c Case) {
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.finished { // the harness has called t.Fatal
			t.obstacle = "a function of the harness ended the test"
		}
	}()
	t.protect(func() { t.open(c) })
	if t.handle != nil {
		t.protect(func() {
			neighbours := t.setNeighbours()
			c.run(t)
			t.checkNeighbours(neighbours)
		})
		t.protect(t.removeKeys)
	}
	for _, b := range slices.Backward(t.toClose) {
		t.protect(func() { t.closeAfterCase(b) })
	}
	t.mu.Lock()
	t.finished = true
	t.mu.Unlock()
}

func (t *attempt) isFinished() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.finished
}

func (t *attempt) closeAfterCase(b io.Closer) {
	if err := b.Close(); err != nil {
		t.wrong("Close", err, text("no error"))
	}
}

// protect runs a part of an attempt, which a failure may stop.
func (t *attempt) protect(part func()) {
	defer t.recoverPanic()
	t.steps.Add(1)
	part()
}

// neighbourKeys are keys close to the prefix of the attempt, but outside it.
func (t *attempt) neighbourKeys() []string {
	return []string{t.id, t.id + ";next", "x" + t.id + ":before"}
}

// setNeighbours stores entries that no operation under the prefix may change.
func (t *attempt) setNeighbours() []string {
	if t.mode != prefixed || !t.supports(Storage) {
		return nil
	}
	ttl := time.Hour
	if t.timeIsFree() { // a case may let months pass
		ttl = 0
	}
	neighbours := t.neighbourKeys()
	for _, key := range neighbours {
		t.must("Set("+show(key)+"), outside the prefix", t.backend.Set(t.ctx, key, []byte(key), ttl))
	}
	return neighbours
}

func (t *attempt) checkNeighbours(neighbours []string) {
	if t.closed {
		return
	}
	for _, key := range neighbours {
		value, ok, err := t.backend.Get(t.ctx, key)
		t.must("Get("+show(key)+"), outside the prefix", err)
		if !ok || string(value) != key {
			t.wrong("the key "+show(key)+", which is outside the prefix "+show(t.id+":")+", must not change", value, key)
		}
	}
}

// removeKeys removes what the attempt has left in a store that others use.
func (t *attempt) removeKeys() {
	if t.janitor == nil {
		return
	}
	left := t.neighbourKeys()
	for key := range t.handle.written.keys {
		// A key without the id was not made by this attempt.
		if strings.Contains(key, t.id) {
			left = append(left, key)
		}
	}
	for chunk := range slices.Chunk(left, 1000) {
		_, err := t.janitor.DeleteMany(context.WithoutCancel(t.ctx), chunk...)
		if err != nil && !errors.Is(err, driver.ErrInvalidKey) {
			t.must("removing what the case left", err)
		}
	}
}
