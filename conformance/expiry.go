package conformance

import (
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// sleepOrAdvance lets d pass for the store.
func (t *attempt) sleepOrAdvance(d time.Duration) {
	t.sleeping.Add(int64(d))
	defer t.sleeping.Add(-int64(d))
	if t.harness.Advance == nil || t.harness.Bubble {
		sleepBeyondStall(d)
		return
	}
	t.harness.Advance(t.first, d)
	t.clockAhead += d
}

// sleepBeyondStall sleeps for d. If the machine stood still meanwhile, a server sets its
// clock only when it runs again, which may be after the case does.
func sleepBeyondStall(d time.Duration) {
	begin := time.Now()
	time.Sleep(d)
	if time.Since(begin) > d+100*time.Millisecond {
		time.Sleep(clockDelay)
	}
}

// clockDelay is how long a server takes to set its clock after a stall.
const clockDelay = 200 * time.Millisecond

// now returns the time by the store's clock.
func (t *attempt) now() time.Time { return time.Now().Add(t.clockAhead) }

// noteWrite remembers the earliest time at which the TTL of key may have begun.
func (t *attempt) noteWrite(key string) { t.noteWriteAt(key, t.now()) }

func (t *attempt) noteWriteAt(key string, earliest time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writtenAt[key] = earliest
}

// resolution is how long an entry may be read after its TTL.
func (t *attempt) resolution() time.Duration { return t.harness.Limits.Resolution }

// shortTTL returns a TTL that is worth waiting for.
func (t *attempt) shortTTL() time.Duration {
	return max(60*time.Millisecond, min(t.resolution(), time.Second))
}

// setExpired stores keys and lets exactly these entries expire.
func (t *attempt) setExpired(keys ...string) {
	ttl := t.shortTTL()
	for _, key := range keys {
		t.set(key, "7", ttl)
	}
	t.pass(ttl + t.resolution())
}

// withinTTL repeats prepare, each time with a longer TTL, until it takes less than its TTL:
// over a slow store or on a busy machine an entry may have expired before the case uses it.
// It returns the last TTL.
func (t *attempt) withinTTL(prepare func(ttl time.Duration)) time.Duration {
	const longest = 20 * time.Second
	ttl := t.shortTTL()
	for ; ttl <= longest; ttl *= 2 {
		begin := time.Now()
		prepare(ttl)
		if time.Since(begin) < ttl {
			return ttl
		}
	}
	t.giveUp(fmt.Sprintf("the store or the machine is too slow to do anything within %v", ttl/2))
	return 0
}

// hasTTL records a failure if the remaining TTL of key is not what is left of
// ttl, 0 meaning that key never expires. Without the feature TTL it passes.
func (t *attempt) hasTTL(when, key string, ttl time.Duration) {
	if !t.readsTTL() {
		return
	}
	left, ok := t.left(key)
	if ttl != 0 && left > ttl+t.resolution() { // the clock of a server is late after a stall
		before := t.now()
		t.sleepOrAdvance(clockDelay)
		passed := t.now().Sub(before)
		if later, isPresent := t.left(key); isPresent && later != 0 {
			left = later + passed
		}
	}
	what := when + ": TTL(" + show(key) + ")"
	t.mu.Lock()
	age := t.now().Sub(t.writtenAt[key])
	t.mu.Unlock()
	switch {
	case !ok && ttl != 0 && age >= ttl: // expired before it was read
	case !ok:
		t.wrong(what, text("a miss"), ttlText(ttl))
	case ttl == 0 && left != 0:
		t.wrong(what, left, text("0 (never expires)"))
	case ttl != 0 && left == 0:
		t.wrong(what, text("0 (never expires)"), ttlText(ttl))
	case ttl != 0 && (left > ttl+t.resolution() || left < ttl-age):
		t.wrong(what, left, text(fmt.Sprintf("%v, less at most the %v since the write", ttl, age)))
	}
}

// left returns the remaining TTL of key.
func (t *attempt) left(key string) (ttl time.Duration, ok bool) {
	ttl, ok, err := t.handle.TTL(t.ctx, key)
	t.must("TTL("+show(key)+")", err)
	return ttl, ok
}

// readsTTL reports whether the remaining TTL is that of the call.
func (t *attempt) readsTTL() bool { return t.supports(TTL) && !t.harness.declares(OneTTL) }

func ttlText(ttl time.Duration) text {
	if ttl == 0 {
		return "0 (never expires)"
	}
	return text("about " + ttl.String())
}

// cacheHasTTL is hasTTL for a key that was written a moment ago through c.
func (t *attempt) cacheHasTTL(c *cache.Cache, key string, ttl time.Duration) {
	left, ok, err := c.TTL(t.ctx, key)
	t.must("TTL", err)
	const moment = 10 * time.Second
	if !ok || (left == 0) != (ttl == 0) || left > ttl+t.resolution() || left < ttl-moment {
		t.wrong(fmt.Sprintf("TTL(%s), ok=%v", show(key), ok), left, ttl)
	}
}

// hasLongTTL records a failure if the remaining TTL of key, which was set with a
// TTL of years, is short. A store may shorten such a TTL to ten years.
func (t *attempt) hasLongTTL(key string, ttl time.Duration) {
	if !t.readsTTL() {
		return
	}
	left, ok, err := t.handle.TTL(t.ctx, key)
	t.must("TTL", err)
	if !ok || left < 0 || left != 0 && left < min(ttl, 10*year)-day {
		t.wrong(fmt.Sprintf("TTL right after Set with %v, ok=%v", ttl, ok), left, text("about as long, or the longest TTL of the store"))
	}
}

// notExpiredEarly records a failure if key is a miss although its TTL, which
// began after before, has not passed.
func (t *attempt) notExpiredEarly(key string, before time.Time, ttl time.Duration) {
	_, ok := t.get(key)
	if age := t.now().Sub(before); !ok && age < ttl {
		t.wrong(fmt.Sprintf("Get(%s) at most %v after Set with ttl %v", show(key), age, ttl), text("a miss"), text("a hit"))
	}
}
