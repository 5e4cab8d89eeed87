package integration

import (
	"flag"
	"os"
	"sync"
	"testing"
)

// TestMain lets tests run beside each other, for most of them wait. Those that are not
// parallel come first, one at a time: they count what the whole process does. Then come
// those that measure time (timed), and then all others (busy).
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "10000") // timed and busy have limits of their own; their subtests need places too
	os.Exit(m.Run())
}

var (
	timing     sync.WaitGroup // the tests that measure time
	timedTests = make(chan struct{}, 4)
	busyTests  = make(chan struct{}, 6)
)

// timed lets t run beside others that measure time and therefore leave the processors
// idle. It is called before anything else.
func timed(t *testing.T) {
	timing.Add(1)
	t.Cleanup(timing.Done)
	t.Parallel()
	takePlace(t, timedTests)
}

// busy lets t run when no test measures time any more. It is called before anything else.
// A test whose subtests are busy is parallel itself: the others wait for its end.
func busy(t *testing.T) {
	t.Parallel()
	timing.Wait()
	takePlace(t, busyTests)
}

// variant is busy for the suite over a store that another test runs all of the suite over,
// reached in another way: its harness is Slow. The race detector would find the same
// again.
func variant(t *testing.T) {
	if race {
		t.Skip("another test runs the same code under the race detector")
	}
	busy(t)
}

// brief reports whether a large suite runs in one mode: with -short, unless races are looked
// for.
func brief() bool { return testing.Short() && !race }

func takePlace(t *testing.T, places chan struct{}) {
	places <- struct{}{}
	t.Cleanup(func() { <-places })
}
