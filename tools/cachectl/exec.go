package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// execFlags are what exec can be told.
type execFlags struct {
	key           string
	env           []string
	stdin         bool
	life          timeout
	refresh       bool
	cacheFailures bool
	maxOutput     int
	lease         time.Duration
	patience      time.Duration
}

func (a *app) execCommand() *cobra.Command {
	var flags execFlags
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARG...]",
		Short: "Run a command once, and answer from the cache afterwards",
		Long: `Run a command once, and answer from the cache afterwards: with the same bytes on
stdout and stderr and the same exit status. Callers that ask at the same time, in
this or other processes, share one run.

The answer belongs to the command, its arguments, the working directory, the
variables named with --env and, with --stdin, what stdin holds; or to --key alone.
It is the entry exec:KEY, which "cachectl delete" removes.

The command reads an empty stdin, unless --stdin is given: stdin is then read to its
end before anything else. It writes to pipes, so it sees no terminal. Signals are
forwarded to it. An exit status other than 0 is not remembered, except with
--cache-failures; a run that met a signal never is.

If the cache fails, the command runs all the same and a warning is printed.`,
		Example: `  cachectl exec --timeout 10m -- go list -deps -json ./...
  cachectl exec --env AWS_PROFILE --timeout 1h -- aws ec2 describe-instances
  cachectl exec --refresh --key report -- ./report.sh
  cachectl exec --stdin -- jq .name < big.json`,
		Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the command is its own
	f.StringVarP(&flags.key, "key", "k", "", "`KEY` of the answer, in place of one made from the command")
	f.StringSliceVarP(&flags.env, "env", "e", nil, "variables, by `NAME`, that the answer depends on; may repeat")
	f.BoolVar(&flags.stdin, "stdin", false, "the command reads stdin, and the answer depends on it")
	f.BoolVarP(&flags.refresh, "refresh", "r", false, "do not answer with what is stored; run, or join a run under way")
	f.BoolVar(&flags.cacheFailures, "cache-failures", false, "remember the answer whatever the exit status")
	f.IntVar(&flags.maxOutput, "max-output", 64<<20, "most `BYTES` of output to remember")
	f.DurationVar(&flags.lease, "lease", 10*time.Second, "after which a runner that died is replaced; at least 1s")
	f.DurationVar(&flags.patience, "patience", 10*time.Second, "what the cache may take for an answer")
	flags.life.addTo(cmd)
	cmd.RegisterFlagCompletionFunc("env", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, entry := range a.environ {
			name, _, _ := strings.Cut(entry, "=")
			names = append(names, name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.exec(cmd.Context(), flags, args) }
	return cmd
}

func (a *app) exec(ctx context.Context, flags execFlags, args []string) error {
	if flags.lease < time.Second || flags.patience <= 0 {
		return usagef("--lease must be at least 1s, --patience more than 0")
	}
	s := &spawn{args: args, environ: a.environ, stdout: a.stdout, stderr: a.stderr, limit: flags.maxOutput}
	var out, errOut bytes.Buffer
	if a.json {
		s.stdout, s.stderr = &out, &errOut
	}
	var err error
	if flags.stdin {
		if s.stdin, err = io.ReadAll(a.stdin); err != nil {
			return err
		}
	}
	key := flags.key
	if key == "" {
		if key, err = commandKey(s, flags.env); err != nil {
			return err
		}
	}
	r, cached, err := a.execOnce(ctx, s, "exec:"+key, flags)
	if err != nil {
		return err
	}
	if a.json {
		fields := object{"key": "exec:" + key, "cached": cached, "status": r.status, "took_seconds": r.took.Seconds()}
		fields.bytes("stdout", out.Bytes())
		fields.bytes("stderr", errOut.Bytes())
		if err := a.answer(true, fields, nil); err != nil {
			return err
		}
	}
	if r.status != 0 {
		return exitStatus(r.status)
	}
	return nil
}

// execOnce brings the answer to the outputs of s, from wherever it has it.
// Whatever the cache does, there is an answer.
func (a *app) execOnce(ctx context.Context, s *spawn, key string, flags execFlags) (r *recording, cached bool, err error) {
	opening, cancel := context.WithTimeout(ctx, flags.patience)
	defer cancel()
	c, err := a.open(opening)
	var usage usageError
	if errors.As(err, &usage) {
		return nil, false, err
	}
	if err != nil {
		a.warn(fmt.Errorf("running without the cache: %w", err))
		r, _, err := s.run()
		return r, false, err
	}
	defer c.Close()

	o := &once{cache: c, key: key, life: flags.life, lease: flags.lease, patience: flags.patience, refresh: flags.refresh, warn: a.warn}
	r, held, err := o.obtain(ctx)
	if r != nil {
		return r, true, r.replay(s.stdout, s.stderr)
	}
	if err != nil {
		a.warn(fmt.Errorf("running without the cache: %w", err))
		r, _, err := s.run()
		return r, false, err
	}
	held.keep(ctx)
	defer held.release(ctx)
	r, unfit, err := s.run()
	if r == nil {
		return nil, false, err
	}
	r.run = held.token
	if unfit == nil && (r.status == 0 || flags.cacheFailures) {
		unfit = o.store(ctx, r)
	} else if unfit == nil {
		unfit = o.share(ctx, r)
	}
	if unfit != nil && !errors.Is(unfit, errInterrupted) { // of which the user knows
		a.warn(fmt.Errorf("not cached: %w", unfit))
	}
	return r, false, err
}

// warn tells of what does not keep exec from its work.
func (a *app) warn(err error) {
	if a.json {
		a.stderr.Write(object{"warning": err.Error()}.encode())
		return
	}
	fmt.Fprintln(a.stderr, "cachectl: warning:", err)
}
