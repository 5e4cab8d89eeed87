package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/spf13/cobra"
)

type execFlags struct {
	key           string
	env           []string
	stdin         bool
	ttl           timeout
	refresh       bool
	cacheFailures bool
	maxOutput     int
	hold          time.Duration // of the lease
	cacheTimeout  time.Duration // limit for each access to the cache
}

func (a *app) execCommand() *cobra.Command {
	var flags execFlags
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARG...]",
		Short: "Run a command once and replay its output from the cache afterwards",
		Long: `Run a command once and replay its output from the cache afterwards: the same bytes
on stdout and stderr, and the same exit status. Concurrent callers, in this or other
processes, share one run, if the backend supports leases.

The key is made from the command, its arguments, the working directory, the variables
given with --env and, with --stdin, the content of stdin. --key replaces it. The entry
is exec:KEY, which "cachectl delete" removes. --env NAME takes a variable from the
environment, and --env NAME=VALUE sets it for the command, also with --key.

Without --stdin the command reads an empty stdin. With --stdin, stdin is read to its
end first. The command writes to pipes, not to a terminal. Signals are forwarded to it.
A non-zero exit status is not cached, except with --cache-failures. A run that received
a signal is never cached.

If the cache fails, the command runs without it and a warning is printed.`,
		Example: `  cachectl exec --timeout 10m -- go list -deps -json ./...
  cachectl exec --env AWS_PROFILE --timeout 1h -- aws ec2 describe-instances
  cachectl exec --env TZ=UTC --refresh --key report -- ./report.sh
  cachectl exec --stdin -- jq .name < big.json`,
		Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // flags after the command belong to the command
	f.StringVarP(&flags.key, "key", "k", "", "`KEY` of the output, instead of one made from the command")
	f.StringArrayVarP(&flags.env, "env", "e", nil, "environment variable that the output depends on, as `NAME`, or as NAME=VALUE to set it; repeatable, names also as A,B")
	f.BoolVar(&flags.stdin, "stdin", false, "pass stdin to the command and make it part of the key")
	f.BoolVarP(&flags.refresh, "refresh", "r", false, "ignore cached output: run the command, or join a run in progress")
	f.BoolVar(&flags.cacheFailures, "cache-failures", false, "cache the output whatever the exit status")
	f.IntVar(&flags.maxOutput, "max-output", 64<<20, "maximum output to cache, in `BYTES`")
	f.DurationVar(&flags.hold, "lease", 10*time.Second, "time after which a crashed runner is replaced; 1s to 1m")
	f.DurationVar(&flags.cacheTimeout, "cache-timeout", 10*time.Second, "limit for each access to the cache")
	flags.ttl.addTo(cmd)
	cmd.RegisterFlagCompletionFunc("env", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, entry := range a.environ {
			name, _, _ := strings.Cut(entry, "=")
			names = append(names, name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := flags.check(f.Changed); err != nil {
			return err
		}
		return a.exec(cmd.Context(), flags, args)
	}
	return cmd
}

// check rejects flags that would have no effect.
func (flags execFlags) check(given func(name string) bool) error {
	switch {
	case flags.hold < time.Second || flags.hold > driver.MaxHold:
		return usagef("--lease %v is not between 1s and %v", flags.hold, driver.MaxHold)
	case flags.cacheTimeout <= 0:
		return usagef("--cache-timeout %v is not positive", flags.cacheTimeout)
	case flags.maxOutput < 0:
		return usagef("--max-output %d is negative", flags.maxOutput)
	case given("key") && flags.key == "":
		return usagef("--key is empty")
	}
	names, set, err := flags.variables()
	if err == nil && given("key") && len(names) > len(set) {
		err = usagef("--env %s has no effect with --key; --env NAME=VALUE sets a variable", names[0])
	}
	return err
}

// variables returns the names that --env gives, and those that it sets as NAME=VALUE. It
// never puts a value into its error: it may be a secret.
func (flags execFlags) variables() (names, set []string, err error) {
	for _, text := range flags.env {
		name, _, sets := strings.Cut(text, "=")
		if sets {
			if name == "" || strings.Contains(name, ",") {
				return nil, nil, usagef("--env: want NAME=VALUE, and one variable for each --env")
			}
			names, set = append(names, name), append(set, text)
			continue
		}
		for name := range strings.SplitSeq(text, ",") {
			if name == "" {
				return nil, nil, usagef("--env: empty name of a variable")
			}
			names = append(names, name)
		}
	}
	return names, set, nil
}

func (a *app) exec(ctx context.Context, flags execFlags, args []string) error {
	names, set, err := flags.variables()
	if err != nil {
		return err
	}
	cmd := &command{args: args, environ: slices.Concat(a.environ, set), stdout: a.stdout, stderr: a.stderr, maxOutput: flags.maxOutput}
	var stdout, stderr bytes.Buffer
	if a.json {
		cmd.stdout, cmd.stderr = &stdout, &stderr
	}
	if flags.stdin {
		if cmd.stdin, err = io.ReadAll(a.stdin); err != nil {
			return err
		}
	}
	key := flags.key
	if key == "" {
		if key, err = commandKey(cmd, names); err != nil {
			return err
		}
	}
	key = "exec:" + key
	r, cached, err := a.runOrReplay(ctx, cmd, key, flags)
	if err != nil {
		return err
	}
	if a.json {
		fields := object{"key": key, "cached": cached, "status": r.status, "took_seconds": r.took.Seconds()}
		fields.bytes("stdout", stdout.Bytes())
		fields.bytes("stderr", stderr.Bytes())
		if err := a.result(true, fields, nil); err != nil {
			return err
		}
	}
	if r.status != 0 {
		return exitStatus(r.status)
	}
	return nil
}

// runOrReplay writes the output of cmd to its streams: from the cache, from the
// run of another process, or by running it. A failure of the cache is a warning.
func (a *app) runOrReplay(ctx context.Context, cmd *command, key string, flags execFlags) (r *recording, cached bool, err error) {
	opening, cancel := context.WithTimeout(ctx, flags.cacheTimeout)
	defer cancel()
	c, err := a.open(opening)
	var usage usageError
	if errors.As(err, &usage) {
		return nil, false, err
	}
	if err != nil {
		return a.runUncached(cmd, err)
	}
	defer c.Close()

	runs := &sharedRuns{flags: flags, cache: c, key: key, warn: a.warn}
	r, held, err := runs.obtain(ctx)
	if r != nil {
		return r, true, r.replay(cmd.stdout, cmd.stderr)
	}
	if err != nil {
		return a.runUncached(cmd, err)
	}
	if held != nil {
		held.keep(ctx)
		defer held.release(ctx)
	}
	r, uncacheable, err := cmd.run()
	if r == nil {
		return nil, false, err
	}
	if uncacheable == nil {
		uncacheable = runs.store(ctx, r, r.status == 0 || flags.cacheFailures)
	}
	if uncacheable != nil && !errors.Is(uncacheable, errSignaled) { // the user sent the signal
		a.warn(fmt.Errorf("not cached: %w", uncacheable))
	}
	return r, false, err
}

// runUncached runs cmd after the cache failed with cause.
func (a *app) runUncached(cmd *command, cause error) (r *recording, cached bool, err error) {
	a.warn(fmt.Errorf("running without the cache: %w", cause))
	r, _, err = cmd.run()
	return r, false, err
}

// commandKey hashes everything that the output is known to depend on: the command,
// its arguments, the working directory, the named variables and stdin. Parts are
// quoted, so that different lists of parts never read the same. It is a
// cryptographic hash because variables may be secrets.
func commandKey(cmd *command, names []string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "command %q\ndirectory %q\n", cmd.args, dir)
	for _, name := range slices.Sorted(slices.Values(names)) {
		value := "unset"
		for _, entry := range cmd.environ {
			if text, ok := strings.CutPrefix(entry, name+"="); ok {
				value = fmt.Sprintf("%q", text)
			}
		}
		fmt.Fprintf(h, "variable %q %s\n", name, value)
	}
	if cmd.stdin != nil {
		fmt.Fprintln(h, "stdin") // the last part needs no quotes
		h.Write(cmd.stdin)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
