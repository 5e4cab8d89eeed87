package loader

import (
	"testing"
	"testing/synctest"
	"time"
)

// The clock is exact, in use and after a pause.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		for _, step := range []time.Duration{time.Millisecond, 300 * time.Millisecond, time.Second, time.Hour} {
			for range 10 {
				now := c.at(time.Now())
				for _, ahead := range []time.Duration{1, time.Second, 3 * time.Second, time.Hour} {
					if !c.isBefore(now + int64(ahead)) {
						t.Fatalf("%v ahead has come", ahead)
					}
					if c.isBefore(now) || c.isBefore(now-int64(ahead)) {
						t.Fatalf("a time in the past has not come")
					}
				}
				time.Sleep(step)
			}
		}
	})
}
