package simple

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// clock tells whether a deadline has passed: exactly, and mostly without reading
// the time, which would cost more than all the rest of a hit. Times are
// nanoseconds on the monotonic clock since base, so that setting the clock of the
// machine neither kills nor revives an entry.
//
// While the cache is in use a timer moves horizon every tick to slack after the
// present. A deadline beyond the horizon has not passed, however late the timer,
// as long as it is not late by slack; all other deadlines are compared with the
// time. In a cache that is not used the timer would be a waste, and would keep a
// testing/synctest bubble busy: now and then it withdraws the horizon, which sends
// the next reader to the time and to restart; if none came by the next tick, the
// timer ends. A stopped timer therefore never leaves an old horizon behind.
type clock struct {
	base    time.Time
	horizon atomic.Int64

	mu    sync.Mutex
	timer *time.Timer // nil until first used
	state timerState
	ticks int
}

type timerState uint8

const (
	idle timerState = iota
	ticking
	closed
)

const (
	tick          = 5 * time.Millisecond
	slack         = int64(time.Second)
	ticksPerRound = 200 // between two looks at whether the cache is still used

	never     = math.MaxInt64 // deadline of what does not expire
	farthest  = never - 1     // any other deadline is at most this
	withdrawn = farthest      // horizon that lies before no deadline but never
)

func (c *clock) start() {
	c.base = time.Now()
	c.horizon.Store(withdrawn)
}

func (c *clock) now() int64 { return int64(time.Since(c.base)) }

// deadline returns the end of a life of ttl that begins now. One that would be
// beyond the range of int64 ends there, after 292 years.
func (c *clock) deadline(ttl time.Duration) int64 {
	if ttl == 0 {
		return never
	}
	now := c.now()
	if int64(ttl) > farthest-now {
		return farthest
	}
	return now + int64(ttl)
}

// near reports whether deadline may have passed; false is certain.
func (c *clock) near(deadline int64) bool { return deadline <= c.horizon.Load() }

// passed reports whether deadline has passed.
func (c *clock) passed(deadline int64) bool { return c.near(deadline) && c.askTime(deadline) }

func (c *clock) askTime(deadline int64) bool {
	now := c.now()
	if c.horizon.Load() == withdrawn {
		c.restart(now)
	}
	return deadline <= now
}

func (c *clock) restart(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state == closed:
		return
	case c.timer == nil:
		c.timer = time.AfterFunc(tick, c.tick)
	case c.state == idle:
		c.timer.Reset(tick)
	}
	c.state = ticking
	c.horizon.Store(now + slack)
}

func (c *clock) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == closed {
		return
	}
	if c.horizon.Load() == withdrawn {
		c.state = idle
		return
	}
	c.ticks++
	if c.ticks%ticksPerRound == 0 {
		c.horizon.Store(withdrawn)
	} else {
		c.horizon.Store(c.now() + slack)
	}
	c.timer.Reset(tick)
}

func (c *clock) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = closed
	c.horizon.Store(withdrawn)
	if c.timer != nil {
		c.timer.Stop()
	}
}
