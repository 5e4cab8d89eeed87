package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"time"
)

// command is the command that exec runs.
type command struct {
	args           []string
	environ        []string
	stdin          []byte    // nil for an empty one that is not part of the key
	stdout, stderr io.Writer // receive the output while the command runs
	maxOutput      int       // bytes of output to record
}

// errOutputTooLarge means that the recording is incomplete.
var errOutputTooLarge = errors.New("output larger than --max-output")

// errSignaled means that a signal ended or may have changed the run, so its result
// does not predict that of the next run.
var errSignaled = errors.New("received a signal")

// run runs the command and returns its recording. uncacheable is the reason why
// the recording must not be stored, or nil. If the command ran but its output could
// not be passed on, both r and err are set.
func (c *command) run() (r *recording, uncacheable, err error) {
	recorder := &recorder{max: c.maxOutput}
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env = c.environ
	if c.stdin != nil {
		cmd.Stdin = bytes.NewReader(c.stdin)
	}
	cmd.Stdout = recordingWriter{recorder, streamOut, c.stdout}
	cmd.Stderr = recordingWriter{recorder, streamErr, c.stderr}
	cmd.SysProcAttr = ownProcessGroup()

	signals := make(chan os.Signal, 16)
	for _, sig := range forwardedSignals {
		if !signal.Ignored(sig) { // as under nohup
			signal.Notify(signals, sig)
		}
	}
	defer signal.Stop(signals)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, nil, startError{err}
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	signaled := false
	for running := true; running; {
		select {
		case sig := <-signals:
			signaled = true
			forward(cmd.Process, sig)
		case err = <-waited:
			running = false
		}
	}
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return nil, nil, err
	}
	r = &recording{run: rand.Text(), status: shellStatus(cmd.ProcessState), took: time.Since(start), frames: recorder.frames}
	switch {
	case signaled || cmd.ProcessState.ExitCode() < 0:
		uncacheable = errSignaled
	case recorder.tooLarge():
		uncacheable = errOutputTooLarge
	}
	return r, uncacheable, recorder.err
}

// startError means that the command did not run.
type startError struct{ error }

func (e startError) Unwrap() error { return e.error }

// status returns the exit status that a shell would use.
func (e startError) status() int {
	if errors.Is(e, exec.ErrNotFound) || errors.Is(e, fs.ErrNotExist) {
		return 127
	}
	return 126
}
