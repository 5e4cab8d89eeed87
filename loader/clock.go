package loader

import (
	"math"
	"sync/atomic"
	"time"
)

// clock decides for most hits that a time is in the future without reading the system
// clock, which costs more than the rest of a hit. Times are nanoseconds of the monotonic
// clock since base.
//
// A read of the system clock begins a round of one second and sets horizon two seconds
// ahead. A timer ends the round. So a time after horizon is in the future, unless the timer
// is more than a second late because the process was stopped. A hit may then be served as
// fresh until the timer runs, which takes milliseconds.
type clock struct {
	base    time.Time
	horizon atomic.Int64
	inRound atomic.Bool
}

const round = time.Second

func newClock() *clock {
	c := &clock{base: time.Now()}
	c.horizon.Store(math.MaxInt64)
	return c
}

// at returns t as a time of c.
func (c *clock) at(t time.Time) int64 { return int64(t.Sub(c.base)) }

// isBefore reports whether the time is before end.
func (c *clock) isBefore(end int64) bool { return end > c.horizon.Load() || c.now() < end }

func (c *clock) now() int64 {
	now := c.at(time.Now())
	if c.inRound.CompareAndSwap(false, true) {
		c.horizon.Store(now + int64(2*round))
		time.AfterFunc(round, func() {
			c.horizon.Store(math.MaxInt64)
			c.inRound.Store(false)
		})
	}
	return now
}
