package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/spf13/cobra"
)

// scan lists the entries of c as [cache.Cache.Scan] does, with a remedy in the error if
// the backend cannot.
func scan(ctx context.Context, c *cache.Cache, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for entry, err := range c.Scan(ctx, prefix) {
			if errors.Is(err, errors.ErrUnsupported) {
				err = fmt.Errorf("%w; simple, filesystem, redis, memcached with the text protocol and gcs can list their entries", err)
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

// interruptible returns do with a context that Ctrl-C and SIGTERM end. A second signal
// ends the process.
func interruptible(do action) action {
	return func(ctx context.Context, c *cache.Cache, args []string) error {
		return untilSignal(ctx, func(ctx context.Context) error { return do(ctx, c, args) })
	}
}

func untilSignal(ctx context.Context, do func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, endSignals...)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := do(ctx)
	if err != nil && ctx.Err() != nil {
		return interruptedError{err}
	}
	return err
}

var endSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// interruptedError is the error of a command that a signal ended.
type interruptedError struct{ error }

func (e interruptedError) Error() string { return "interrupted: " + e.error.Error() }
func (e interruptedError) Unwrap() error { return e.error }

// optionalPrefix returns the argument PREFIX, or "" for all keys.
func optionalPrefix(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// addPrefixArg makes PREFIX the optional argument of cmd.
func addPrefixArg(cmd *cobra.Command) { cmd.Args = cobra.MaximumNArgs(1) }

// shown returns text as it is, or quoted as in Go if it has characters that could change
// the terminal or break the line.
func shown(text string) string {
	if isPlain(text) && !strings.Contains(text, "\t") {
		return text
	}
	return strconv.Quote(text)
}

// shownTTL returns a remaining TTL, to the second if it is long.
func shownTTL(ttl time.Duration) string {
	switch {
	case ttl == 0:
		return "never"
	case ttl >= 10*time.Second:
		return ttl.Round(time.Second).String()
	}
	return max(ttl.Round(time.Millisecond), time.Millisecond).String()
}

// byteCount prints numbers of bytes, exactly or with a unit.
type byteCount struct{ human bool }

func (b *byteCount) addTo(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&b.human, "human", "H", false, "print sizes with a unit, such as 1.5MiB")
}

// text returns "?" for a number that is unknown.
func (b byteCount) text(n int64) string {
	switch {
	case n < 0:
		return "?"
	case !b.human:
		return strconv.FormatInt(n, 10)
	}
	return withUnit(n)
}

// withUnit returns n as 1.5MiB.
func withUnit(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	value, units := float64(n), "KMGTPE"
	unit := -1
	for value >= 1023.95 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f%ciB", value, units[unit])
}
