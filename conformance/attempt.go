package conformance

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

// attemptLimit ends the context of an attempt that does not return.
const attemptLimit = time.Minute

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
	id      string       // unique to this case and mode, part of keys and prefixes
	janitor *cache.Cache // removes the keys from a shared store; nil if the store is isolated
	absent  map[Feature]string
	short   bool
	rand    *rand.Rand

	first      driver.Backend // as the harness opened it
	backend    driver.Backend // first, as the mode shows it
	cache      *cache.Cache   // over backend
	handle     *handle        // the operations; through cache, except in the mode bare
	ownStore   bool           // only this attempt uses the store, and it may clear it
	closed     bool           // by the case
	toClose    []io.Closer    // after the case, from last to first
	pass       func(d time.Duration)
	clockAhead time.Duration // by how much Harness.Advance has moved the store's clock

	mu           sync.Mutex
	writtenAt    map[string]time.Time // by key, for the age of an entry
	failures     []failure
	obstacle     string // why the rule could not be judged
	inapplicable string // why the rule does not apply in this mode
}

// prepare opens what an attempt at c needs.
func (s *suite) prepare(ctx context.Context, test *testing.T, c Case, m mode) *attempt {
	t := &attempt{
		ctx: ctx, test: test, harness: s.harness, mode: m, absent: s.absent, short: s.short, janitor: s.janitor,
		id:        s.runID + "-" + c.ID + "-" + string(m),
		rand:      rand.New(rand.NewPCG(s.report.Seed, uint64(crc32.ChecksumIEEE([]byte(c.ID))))),
		ownStore:  s.harness.Isolated,
		writtenAt: map[string]time.Time{},
	}
	open := s.harness.New
	if allowed := s.harness.Stores.ClearAllowed; c.has(emptiesStore) && m != prefixed && !t.ownStore && allowed != nil {
		open, t.ownStore = allowed, true
	}
	t.first = open(test)
	t.backend = t.first
	if m == fallback {
		t.backend = hideFallbacks(t.first)
	}
	if !s.keepOpen {
		t.toClose = append(t.toClose, t.first)
	}
	t.pass = t.sleepOrAdvance
	t.handle = t.newHandle()
	t.cache = t.handle.cache
	return t
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
		h.bare = driver.Resolve(t.first)
	}
	return h
}

// perform runs c and cleans up, whatever happens. It returns t.
func (t *attempt) perform(c Case) *attempt {
	ctx, cancel := context.WithTimeout(t.ctx, attemptLimit)
	defer cancel()
	t.ctx = ctx
	finished := false
	defer func() {
		if !finished { // the harness has called t.Fatal
			t.obstacle = "the harness ended the case"
		}
	}()
	t.protect(func() {
		neighbours := t.setNeighbours()
		c.run(t)
		t.checkNeighbours(neighbours)
	})
	t.protect(t.removeKeys)
	for _, b := range slices.Backward(t.toClose) {
		if err := b.Close(); err != nil {
			t.wrong("Close", err, text("no error"))
		}
	}
	finished = true
	return t
}

// protect runs a part of an attempt, which a failure may stop.
func (t *attempt) protect(part func()) {
	defer t.recoverPanic()
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
		t.must("Set of a key outside the prefix", t.backend.Set(t.ctx, key, []byte(key), ttl))
	}
	return neighbours
}

func (t *attempt) checkNeighbours(neighbours []string) {
	if t.closed {
		return
	}
	for _, key := range neighbours {
		value, ok, err := t.backend.Get(t.ctx, key)
		t.must("Get of a key outside the prefix", err)
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
