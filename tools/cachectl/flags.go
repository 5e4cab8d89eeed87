package main

import (
	"errors"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
)

// input is the source of a value: an argument, a file or stdin.
type input struct {
	file string
}

func (i *input) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&i.file, "file", "f", i.file, "read from `FILE`, or from stdin if it is -")
}

// value returns the argument after the key, the content of the file, or stdin for "-".
func (i *input) value(a *app, args []string) ([]byte, error) {
	switch {
	case len(args) == 2 && i.file != "":
		return nil, usagef("both a value and --file: give only one")
	case len(args) == 2 && args[1] != "-":
		return []byte(args[1]), nil
	case len(args) == 2:
		return io.ReadAll(a.stdin)
	case i.file == "":
		return nil, usagef("no value: give it as an argument, with --file, or as - for stdin")
	}
	return i.read(a)
}

func (i *input) read(a *app) ([]byte, error) {
	if i.file == "-" {
		return io.ReadAll(a.stdin)
	}
	data, err := os.ReadFile(i.file)
	if err != nil {
		return nil, usagef("--file: %w", err)
	}
	return data, nil
}

// timeout is the --timeout flag, written like CACHE_DEFAULT_TIMEOUT.
type timeout struct {
	given bool
	ttl   time.Duration
}

func (t *timeout) addTo(cmd *cobra.Command) {
	cmd.Flags().VarP(t, "timeout", "t", "TTL of the entry in seconds, or a duration such as 10m; 0 never expires (default CACHE_DEFAULT_TIMEOUT)")
	cmd.RegisterFlagCompletionFunc("timeout", cobra.FixedCompletions([]string{"30s", "5m", "1h", "24h", "0"}, cobra.ShellCompDirectiveNoFileComp))
}

// options returns no options if the flag was not given, so that the default applies.
func (t *timeout) options() []cache.SetOption {
	if !t.given {
		return nil
	}
	return []cache.SetOption{cache.Timeout(t.ttl)}
}

// Set parses the flag.
func (t *timeout) Set(text string) error {
	ttl, err := time.ParseDuration(text)
	if err != nil {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(math.Abs(seconds) < math.MaxInt64/float64(time.Second)) {
			return errors.New(`neither seconds nor a duration such as "10m"`)
		}
		ttl = time.Duration(seconds * float64(time.Second))
	}
	switch {
	case ttl < 0:
		return errors.New("negative (0 means never)")
	case ttl == 0 && strings.ContainsAny(text, "123456789"): // rounded to 0, which means never
		return errors.New("shorter than 1ns")
	}
	t.given, t.ttl = true, ttl
	return nil
}

// String returns the value for the help text, which has no default.
func (t *timeout) String() string {
	if !t.given {
		return ""
	}
	return t.ttl.String()
}

// Type names the value in the help text.
func (t *timeout) Type() string { return "DURATION" }
