package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"time"
)

// spawn is a command that runs now.
type spawn struct {
	args           []string
	environ        []string
	stdin          []byte    // nil for none
	stdout, stderr io.Writer // what it prints is passed on to
	limit          int       // bytes of output that are kept
}

// errNotWhole means that more was printed than is kept.
var errNotWhole = errors.New("more output than --max-output")

// errInterrupted means that the run was ended or disturbed by a signal: what it
// did says nothing about what it will do.
var errInterrupted = errors.New("ended by a signal")

// run returns what the command did, and why that should not be kept.
func (s *spawn) run() (r *recording, unfit, err error) {
	recorder := &recorder{limit: s.limit}
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.Env = s.environ
	if s.stdin != nil {
		cmd.Stdin = bytes.NewReader(s.stdin)
	}
	cmd.Stdout = tap{recorder, streamOut, s.stdout}
	cmd.Stderr = tap{recorder, streamErr, s.stderr}
	cmd.SysProcAttr = ownGroup()

	signals := make(chan os.Signal, 16)
	for _, sig := range forwarded {
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
	disturbed := false
	for running := true; running; {
		select {
		case sig := <-signals:
			disturbed = true
			forward(cmd.Process, sig)
		case err = <-waited:
			running = false
		}
	}
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return nil, nil, err
	}
	r = &recording{status: shellStatus(cmd.ProcessState), took: time.Since(start), frames: recorder.frames}
	switch {
	case disturbed || cmd.ProcessState.ExitCode() < 0:
		unfit = errInterrupted
	case recorder.tooMuch():
		unfit = errNotWhole
	}
	return r, unfit, recorder.failed
}

// startError means that the command did not run.
type startError struct{ error }

func (e startError) Unwrap() error { return e.error }

// status is what a shell would end with.
func (e startError) status() int {
	if errors.Is(e, exec.ErrNotFound) || errors.Is(e, fs.ErrNotExist) {
		return 127
	}
	return 126
}
