package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/simple"
)

// TestMain makes the test binary act as cachectl, or as the command that cachectl
// runs, if CACHECTL_TEST is set.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("CACHECTL_TEST") == "":
		os.Exit(m.Run())
	case len(os.Args) > 1 && os.Args[1] == "child":
		os.Exit(child(os.Args[2:]))
	default:
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
	}
}

// outcome is the result of one invocation of cachectl.
type outcome struct {
	status         int
	stdout, stderr string
}

// asProgram makes the test binary act as a program. GORACE keeps the race detector
// from waiting a second at the end of each process.
var asProgram = []string{"CACHECTL_TEST=1", "GORACE=atexit_sleep_ms=0"}

// environ returns the environment of a test: a filesystem cache of its own.
func environ(t *testing.T, more ...string) []string {
	t.Helper()
	return append(append([]string{"CACHE_TYPE=filesystem", "CACHE_DIR=" + t.TempDir()}, asProgram...), more...)
}

// call runs cachectl in this process.
func call(env []string, args ...string) outcome { return callWith(env, "", args...) }

func callWith(env []string, stdin string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	status := run(args, strings.NewReader(stdin), &stdout, &stderr, env)
	return outcome{status, stdout.String(), stderr.String()}
}

// process returns cachectl as a separate process.
func process(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

func (o outcome) want(t *testing.T, status int, stdout string) {
	t.Helper()
	if o.status != status || o.stdout != stdout {
		t.Errorf("exit status %d, stdout %q, want %d, %q; stderr %q", o.status, o.stdout, status, stdout, o.stderr)
	}
}

// decode decodes JSON output, which must be one line.
func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil || strings.Count(text, "\n") != 1 {
		t.Fatalf("%q is not one line of JSON: %v", text, err)
	}
	return fields
}

// faulty is a store that returns err, hangs, or accepts values up to limit bytes.
type faulty struct {
	err   error
	stuck bool
	limit int
}

// vaultSettings are the declared settings of a backend with a secret.
type vaultSettings struct {
	Password driver.Secret `setting:"CACHE_VAULT_PASSWORD" help:"password"`
	URL      string        `setting:"CACHE_VAULT_URL" default:"vault://localhost" help:"URL of the server" required:"true"`
}

func init() {
	driver.Register(driver.Info{Types: []string{"vault"}, Settings: vaultSettings{}, Open: func(context.Context, *driver.Settings) (driver.Backend, error) {
		return nil, errors.ErrUnsupported
	}})
	register("broken", func(context.Context) (driver.Backend, error) {
		return faulty{err: driver.ErrUnavailable}, nil
	})
	register("unreachable", func(context.Context) (driver.Backend, error) {
		return nil, fmt.Errorf("dialling: %w", driver.ErrUnavailable)
	})
	register("hanging", func(ctx context.Context) (driver.Backend, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	register("stuck", func(context.Context) (driver.Backend, error) {
		return faulty{stuck: true}, nil
	})
	register("defective", func(ctx context.Context) (driver.Backend, error) {
		b, err := simple.New(ctx, simple.Options{})
		return defective{b}, err
	})
	register("small", func(context.Context) (driver.Backend, error) {
		return faulty{limit: 200}, nil
	})
}

// register registers a backend without settings.
func register(name string, open func(context.Context) (driver.Backend, error)) {
	driver.Register(driver.Info{Types: []string{name}, Open: func(ctx context.Context, _ *driver.Settings) (driver.Backend, error) {
		return open(ctx)
	}})
}

// defective is a store whose Add is a Set.
type defective struct{ *simple.Backend }

func (d defective) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return true, d.Set(ctx, key, value, ttl)
}

func (f faulty) Get(ctx context.Context, _ string) ([]byte, bool, error) {
	if f.stuck {
		<-ctx.Done()
		return nil, false, ctx.Err()
	}
	return nil, false, f.err
}

func (f faulty) Set(_ context.Context, _ string, value []byte, _ time.Duration) error {
	if len(value) > f.limit {
		return errors.Join(f.err, driver.ErrTooLarge)
	}
	return f.err
}
func (f faulty) Add(context.Context, string, []byte, time.Duration) (bool, error) {
	return f.err == nil, f.err
}
func (f faulty) Delete(context.Context, string) (bool, error) { return false, f.err }
func (f faulty) Clear(context.Context) error                  { return f.err }
func (f faulty) Close() error                                 { return nil }
