package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/filesystem"
)

func execArgs(flags []string, child []string) []string {
	return append(append([]string{"exec"}, flags...), child...)
}

func traceFile(t *testing.T) string { return filepath.Join(t.TempDir(), "trace") }

func TestExecReplaysByteForByte(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	args := execArgs([]string{"--timeout", "1m"}, childArgs(trace, "print", "0"))
	want := outcome{0, childOut, childErr}
	for range 3 {
		if got := call(env, args...); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	wantRuns(t, trace, 1)
}

func TestExecTimeout(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	call(env, execArgs([]string{"--key", "k", "--timeout", "1h"}, childArgs(trace, "print", "0"))...)
	life := decode(t, call(env, "ttl", "exec:k", "--json").stdout)["ttl_seconds"].(float64)
	if life < 3500 || life > 3600 {
		t.Errorf("the TTL is %v s, want an hour", life)
	}
	call(env, "delete", "exec:k")
	call(env, execArgs([]string{"--key", "k"}, childArgs(trace, "print", "0"))...)
	wantRuns(t, trace, 2)
}

func TestExecFailures(t *testing.T) {
	for _, test := range []struct {
		name  string
		flags []string
		runs  int
	}{
		{"are not cached", nil, 2},
		{"are cached when asked", []string{"--cache-failures"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			env, trace := environ(t), traceFile(t)
			want := outcome{7, childOut, childErr}
			for range 2 {
				if got := call(env, execArgs(test.flags, childArgs(trace, "print", "7"))...); got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
			}
			wantRuns(t, trace, test.runs)
		})
	}
}

func TestExecRefresh(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	child := childArgs(trace, "print", "0")
	call(env, execArgs(nil, child)...)
	call(env, execArgs([]string{"--refresh"}, child)...).want(t, 0, childOut)
	wantRuns(t, trace, 2)
	call(env, execArgs(nil, child)...).want(t, 0, childOut)
	wantRuns(t, trace, 2)
}

func TestExecKeyParts(t *testing.T) {
	base := func(trace string) []string { return execArgs(nil, childArgs(trace, "env", "NAME")) }
	for _, test := range []struct {
		name  string
		again func(t *testing.T, env []string, trace string) outcome
		runs  int
	}{
		{"the same", func(t *testing.T, env []string, trace string) outcome {
			return call(env, base(trace)...)
		}, 1},
		{"a variable that is not named", func(t *testing.T, env []string, trace string) outcome {
			return call(append(env, "NAME=x"), base(trace)...)
		}, 1},
		{"other arguments", func(t *testing.T, env []string, trace string) outcome {
			return call(env, append(base(trace), "more")...)
		}, 2},
		{"another directory", func(t *testing.T, env []string, trace string) outcome {
			t.Chdir(t.TempDir())
			return call(env, base(trace)...)
		}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			env, trace := environ(t), traceFile(t)
			call(env, base(trace)...)
			test.again(t, env, trace).want(t, 0, "")
			wantRuns(t, trace, test.runs)
		})
	}
}

func TestExecEnv(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	args := execArgs([]string{"--env", "NAME"}, childArgs(trace, "env", "NAME"))
	for _, value := range []string{"", "NAME=", "NAME=a", "NAME=b", "NAME=a", ""} { // unset is not empty
		variables := env
		if value != "" {
			variables = append(env, value)
		}
		call(variables, args...).want(t, 0, strings.TrimPrefix(value, "NAME="))
	}
	wantRuns(t, trace, 4)
}

// --env NAME=VALUE sets the variable of the command and is part of the key.
func TestExecEnvSets(t *testing.T) {
	env, trace := environ(t, "NAME=outer"), traceFile(t)
	child := childArgs(trace, "env", "NAME")
	for _, value := range []string{"a,b=c", "", "outer", "a,b=c"} {
		call(env, execArgs([]string{"--env", "NAME=" + value}, child)...).want(t, 0, value)
	}
	call(env, execArgs([]string{"--env", "NAME"}, child)...).want(t, 0, "outer") // the run with the same value
	wantRuns(t, trace, 3)
	call(env, execArgs([]string{"--env", "OTHER,NAME"}, child)...).want(t, 0, "outer")
	call(env, execArgs([]string{"--key", "k", "--env", "NAME=x"}, child)...).want(t, 0, "x")
	wantRuns(t, trace, 5)
}

func TestExecStdin(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	child := childArgs(trace, "cat")
	callWith(env, "input", execArgs(nil, child)...).want(t, 0, "")
	for _, stdin := range []string{"a", "b", "a", ""} {
		callWith(env, stdin, execArgs([]string{"--stdin"}, child)...).want(t, 0, stdin)
	}
	wantRuns(t, trace, 4)
}

// together runs n processes at once and returns their outcomes.
func together(t *testing.T, n int, env, args []string) []outcome {
	t.Helper()
	outcomes := make([]outcome, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			var stdout, stderr bytes.Buffer
			cmd := process(t, env, args...)
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			var ended *exec.ExitError
			if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
				t.Error(err)
				return
			}
			outcomes[i] = outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
		})
	}
	wait.Wait()
	return outcomes
}

// sharers is the number of processes that share one run.
const sharers = 8

// awaited makes a file for each process that has not got a lease.
type awaited struct{ *filesystem.Backend }

func (a awaited) Lease(ctx context.Context, key string, hold time.Duration) (value []byte, ok bool, token string, err error) {
	value, ok, token, err = a.Backend.Lease(ctx, key, hold)
	if err == nil && token == "" {
		err = os.WriteFile(filepath.Join(os.Getenv("CACHECTL_TEST_WAITING"), strconv.Itoa(os.Getpid())), nil, 0o600)
	}
	return value, ok, token, err
}

func init() {
	driver.Register(driver.Info{Types: []string{"awaited"}, Settings: filesystem.Options{}, Open: func(ctx context.Context, s *driver.Settings) (driver.Backend, error) {
		var options filesystem.Options
		s.Bind(&options)
		if err := s.Check(&options); err != nil {
			return nil, err
		}
		b, err := filesystem.New(ctx, options)
		return awaited{b}, err
	}})
}

func TestExecProcessesShareRun(t *testing.T) {
	for _, test := range []struct {
		name   string
		flags  []string
		status int
	}{
		{"success", nil, 0},
		{"failure", nil, 3},
		{"refresh", []string{"--refresh"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			env, trace := environ(t, "CACHE_TYPE=awaited", "CACHECTL_TEST_WAITING="+t.TempDir()), traceFile(t)
			args := execArgs(test.flags, childArgs(trace, "shared", strconv.Itoa(test.status)))
			outcomes := together(t, sharers, env, args)
			if outcomes[0].status != test.status || outcomes[0].stdout == "" {
				t.Errorf("got %+v", outcomes[0])
			}
			for _, o := range outcomes[1:] {
				if o != outcomes[0] {
					t.Errorf("got %+v and %+v", outcomes[0], o)
				}
			}
			wantRuns(t, trace, 1)
		})
	}
}

func TestExecReplacesKilledRunner(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	args := execArgs([]string{"--lease", "1s"}, childArgs(trace, "orphan"))
	runner := process(t, env, args...)
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the first run", func() bool { return runs(trace) == 1 })
	// Longer than the lease: a runner that is alive renews it.
	waiter := make(chan outcome, 1)
	start := time.Now()
	go func() { waiter <- call(env, args...) }()
	select {
	case o := <-waiter:
		t.Fatalf("did not wait for the runner: %+v", o)
	case <-time.After(1500 * time.Millisecond):
	}
	runner.Process.Kill()
	runner.Wait()
	(<-waiter).want(t, 0, "second run")
	wantRuns(t, trace, 2)
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("took over after %v", took)
	}
}

func TestExecForwardsSignals(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	args := execArgs(nil, childArgs(trace, "signal"))
	var stdout bytes.Buffer
	cmd := process(t, env, args...)
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the command", func() bool { return runs(trace) == 2 }) // its process id, and "ready"
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || stdout.String() != "terminated" {
		t.Errorf("got %v, %q", err, stdout.String())
	}
	if o := call(env, "get", "exec:"+keyOf(t, args)); o.status != statusMiss {
		t.Errorf("a run that received a signal was cached: %+v", o)
	}
}

// keyOf returns the key that exec makes for args without flags.
func keyOf(t *testing.T, args []string) string {
	t.Helper()
	key, err := commandKey(&command{args: args[2:]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestExecKilledCommand(t *testing.T) {
	env := environ(t)
	for range 2 {
		o := call(env, "exec", "--cache-failures", "--json", "--", "sh", "-c", "kill -9 $$")
		if fields := decode(t, o.stdout); o.status != 137 || fields["cached"] != false {
			t.Errorf("exit status %d, want 137, not cached: %v", o.status, fields)
		}
	}
}

func TestExecRunsWithoutTheCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		env  []string
		warn string
	}{
		{"broken", []string{"CACHE_TYPE=broken"}, "unavailable"},
		{"broken, errors ignored", []string{"CACHE_TYPE=broken", "CACHE_IGNORE_ERRORS=1"}, "unavailable"},
		{"unreachable", []string{"CACHE_TYPE=unreachable"}, "unavailable"},
		{"hanging when opened", []string{"CACHE_TYPE=hanging"}, "deadline"},
		{"hanging", []string{"CACHE_TYPE=stuck"}, "deadline"},
		{"a file for a directory", []string{"CACHE_TYPE=filesystem", "CACHE_DIR=" + file}, "directory"},
		{"output too large for the store", []string{"CACHE_TYPE=small"}, "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			trace := traceFile(t)
			o := call(append(test.env, asProgram...), execArgs([]string{"--cache-timeout", "100ms"}, childArgs(trace, "large", "1000"))...)
			o.want(t, 0, strings.Repeat("x", 1000))
			if !strings.HasPrefix(o.stderr, "cachectl: warning: ") || !strings.Contains(o.stderr, test.warn) {
				t.Errorf("stderr %q", o.stderr)
			}
			wantRuns(t, trace, 1)
		})
	}
}

func TestExecMaxOutput(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	args := execArgs([]string{"--max-output", "999"}, childArgs(trace, "large", "1000"))
	for range 2 {
		o := call(env, args...)
		o.want(t, 0, strings.Repeat("x", 1000))
		if !strings.Contains(o.stderr, "--max-output") {
			t.Errorf("stderr %q", o.stderr)
		}
	}
	wantRuns(t, trace, 2)
}

func TestExecDamagedEntry(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	call(env, "set", "exec:k", "not a recording")
	args := execArgs([]string{"--key", "k"}, childArgs(trace, "print", "0"))
	o := call(env, args...)
	o.want(t, 0, childOut)
	if !strings.Contains(o.stderr, "warning") {
		t.Errorf("stderr %q", o.stderr)
	}
	call(env, args...).want(t, 0, childOut)
	wantRuns(t, trace, 1)
}

func TestExecCannotStart(t *testing.T) {
	env := environ(t)
	for _, test := range []struct {
		name, command string
		status        int
	}{
		{"not found", "no-such-command-at-all", 127},
		{"no such file", "./no-such-file", 127},
		{"a directory", t.TempDir(), 126},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := call(env, "exec", "--", test.command)
			o.want(t, test.status, "")
			if !strings.HasPrefix(o.stderr, "cachectl: ") {
				t.Errorf("stderr %q", o.stderr)
			}
		})
	}
}

func TestExecStdoutFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil && os.Getenv("CONFORMANCE_STRICT") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	env, trace := environ(t), traceFile(t)
	args := execArgs(nil, childArgs(trace, "print", "0"))
	var stderr bytes.Buffer
	if status := run(args, nil, full, &stderr, env); status != statusError || !strings.Contains(stderr.String(), "no space") {
		t.Errorf("exit status %d, stderr %q", status, stderr.String())
	}
	call(env, args...).want(t, 0, childOut) // cached: the command succeeded
	wantRuns(t, trace, 1)
}

func TestExecJSON(t *testing.T) {
	env, trace := environ(t), traceFile(t)
	args := execArgs([]string{"--json", "--key", "k", "--cache-failures"}, childArgs(trace, "print", "4"))
	for _, cached := range []bool{false, true} {
		o := call(env, args...)
		fields := decode(t, o.stdout)
		if o.status != 4 || o.stderr != "" || fields["cached"] != cached || fields["status"] != 4.0 || fields["key"] != "exec:k" ||
			fields["stdout_base64"] != "b3V0AP8NCg==" || fields["stderr_base64"] != "ZXJyAf4K" {
			t.Errorf("exit status %d, stdout %v, stderr %q", o.status, fields, o.stderr)
		}
	}
}
