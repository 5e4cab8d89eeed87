package simple

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// clock reports exactly whether a deadline has passed, mostly without reading the
// time, which would cost more than the rest of a hit. Times are nanoseconds of the
// monotonic clock since base, so that setting the clock of the machine has no effect.
//
// While the cache is in use, a timer sets horizon at every tick to the present plus
// slack. A deadline after horizon has not passed, unless the timer is late by more
// than slack minus tick; all other deadlines are compared with the time.
//
// The timer is that late after the process was stopped for a second or more. A hit
// that compares with horizon cannot notice this: reading the time would double its
// cost. Whatever reads the time does notice, and withdraws horizon.
//
// In an unused cache the timer would waste processor time and keep a
// testing/synctest bubble busy. Once per round it therefore sets horizon to
// noHorizon, which makes the next reader compare with the time and call restart. If
// no reader has done so by the next tick, the timer stops. A stopped timer thus
// never leaves an outdated horizon.
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
	// tick costs 0.1 % of a processor. Ticks of 5 ms would cost 1.5 %.
	tick = 50 * time.Millisecond
	// slack is longer than a timer is late, unless the whole process was stopped.
	slack = int64(time.Second + tick)
	// ticksPerRound makes the timer check for readers once a second.
	ticksPerRound = 20

	never     = math.MaxInt64 // deadline of an entry that does not expire
	farthest  = never - 1     // the latest of all other deadlines
	noHorizon = farthest      // horizon before which all deadlines but never lie
)

func (c *clock) now() int64 { return int64(time.Since(c.base)) }

// check withdraws horizon if the timer is late.
func (c *clock) check(now int64) {
	if c.horizon.Load()-now < slack-2*int64(tick) {
		c.horizon.Store(noHorizon)
	}
}

// deadline returns the deadline of an entry that is stored now. It is at most
// farthest, after 292 years.
func (c *clock) deadline(ttl time.Duration) int64 {
	if ttl == 0 {
		return never
	}
	now := c.now()
	c.check(now)
	if int64(ttl) > farthest-now {
		return farthest
	}
	return now + int64(ttl)
}

// near reports whether deadline may have passed. If it returns false, deadline has
// not passed.
func (c *clock) near(deadline int64) bool { return deadline <= c.horizon.Load() }

// passed reports whether deadline has passed.
func (c *clock) passed(deadline int64) bool { return c.near(deadline) && c.askTime(deadline) }

func (c *clock) askTime(deadline int64) bool {
	now := c.now()
	c.check(now)
	if c.horizon.Load() == noHorizon {
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
	if c.horizon.Load() == noHorizon {
		c.state = idle
		return
	}
	c.ticks++
	if c.ticks%ticksPerRound == 0 {
		c.horizon.Store(noHorizon)
	} else {
		c.horizon.Store(c.now() + slack)
	}
	c.timer.Reset(tick)
}

func (c *clock) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = closed
	c.horizon.Store(noHorizon)
	if c.timer != nil {
		c.timer.Stop()
	}
}
