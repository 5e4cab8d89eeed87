package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type topFlags struct {
	interval  time.Duration
	once      bool
	sample    int
	separator string
}

func (a *app) topCommand() *cobra.Command {
	var flags topFlags
	cmd := &cobra.Command{
		Use:   "top [PREFIX]",
		Short: "Watch hits, misses, slow commands, memory and large entries",
		Long: `Watch a store. Redis and memcached report hits, misses, operations, evictions, memory and
clients of each server, for all its users; Redis reports the average duration of each
command too. Other stores report their statistics.

On a terminal this is a screen. It also shows the largest prefixes and entries among the
first --sample ones: a scan of at most 5 seconds, every 10 seconds or more. Otherwise, and
with --json, each interval is a line for each server: its activity since the line before.`,
		Example: `  cachectl top
  cachectl top user: --interval 5s
  cachectl top --once --json`,
	}
	addPrefixArg(cmd)
	f := cmd.Flags()
	f.DurationVarP(&flags.interval, "interval", "i", 2*time.Second, "time between two readings, at least 100ms")
	f.BoolVar(&flags.once, "once", false, "print the activity of one interval and exit")
	f.IntVar(&flags.sample, "sample", 10_000, "number of `ENTRIES` to scan for the screen; 0 for none")
	f.StringVarP(&flags.separator, "separator", "s", ":", "`TEXT` that separates the parts of a key, on the screen")
	top := a.withStore(func(ctx context.Context, s *entryStore, args []string) error {
		prefix := optionalPrefix(args)
		if in, ok := a.stdin.(*os.File); ok && isTerminal(a.stdin) && isTerminal(a.stdout) && !flags.once && !a.json {
			return a.topScreen(ctx, s, prefix, flags, in)
		}
		return a.topLines(ctx, s, flags)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case flags.interval < 100*time.Millisecond:
			return usagef("--interval %v is shorter than 100ms", flags.interval)
		case flags.sample < 0:
			return usagef("--sample %d is negative", flags.sample)
		case flags.separator == "":
			return usagef("--separator is empty")
		}
		return top(cmd, args)
	}
	return cmd
}

// topLines prints a line per interval and server until ctx is done or the store fails.
func (a *app) topLines(ctx context.Context, s *entryStore, flags topFlags) error {
	last := s.reading(ctx)
	ticker := time.NewTicker(flags.interval)
	defer ticker.Stop()
	for last.err == nil {
		select {
		case <-ctx.Done(): // a signal is the usual way to leave
			return nil
		case <-ticker.C:
		}
		now := s.reading(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case now.err != nil:
			return now.err
		}
		for _, act := range activities(last, now) {
			line := []byte(act.line(now, slowest([]activity{act})))
			if a.json {
				line = act.fields(now).encode()
			}
			if _, err := a.stdout.Write(line); err != nil {
				return err
			}
		}
		if flags.once {
			return nil
		}
		last = now
	}
	return last.err
}

// line returns an activity as text: NAME=VALUE, without what is unknown.
func (a activity) line(now reading, commands []commandActivity) string {
	text := now.at.UTC().Format(time.RFC3339)
	if a.server != "" {
		text += " server=" + shown(a.server)
	}
	text += " ping=" + shownLatency(now.latency)
	for _, n := range a.numbers() {
		if !math.IsNaN(n.value) {
			text += fmt.Sprintf(" %s=%s", n.name, strings.TrimSuffix(decimal(n.value), ".0"))
		}
	}
	if len(commands) > 0 {
		text += fmt.Sprintf(" slowest=%s:%s", shown(commands[0].name), shownLatency(commands[0].average))
	}
	return text + "\n"
}

func (a activity) fields(now reading) object {
	fields := object{"time": now.at.UTC(), "ping_seconds": now.latency.Seconds()}
	if a.server != "" {
		fields["server"] = a.server
	}
	for _, n := range a.numbers() {
		if !math.IsNaN(n.value) {
			fields[n.name] = n.value
		}
	}
	commands := []object{}
	for _, c := range a.commands {
		commands = append(commands, object{"command": c.name, "calls_per_second": c.calls, "average_seconds": c.average.Seconds()})
	}
	if len(commands) > 0 {
		fields["commands"] = commands
	}
	return fields
}

type number struct {
	name  string
	value float64
}

func (a activity) numbers() []number {
	return []number{
		{"hits_per_second", a.hits}, {"misses_per_second", a.misses}, {"hit_percent", 100 * a.ratio()},
		{"operations_per_second", a.operations}, {"evictions_per_second", a.evictions},
		{"entries", a.entries}, {"bytes", a.bytes}, {"max_bytes", a.maxBytes}, {"clients", a.clients},
	}
}
