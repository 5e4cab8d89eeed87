package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// object is a JSON object in the output.
type object map[string]any

// bytes sets name to b as text or, if b is not UTF-8, name_base64 to b.
func (o object) bytes(name string, b []byte) {
	if utf8.Valid(b) {
		o[name] = string(b)
	} else {
		o[name+"_base64"] = b
	}
}

// encode returns o as one line.
func (o object) encode() []byte {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(o); err != nil {
		panic(err) // the values are strings, numbers and lists of them
	}
	return line.Bytes()
}

// result writes the result of a command: text or, with --json, fields. It
// returns statusMiss if !ok.
func (a *app) result(ok bool, fields object, text []byte) error {
	if a.json {
		text = fields.encode()
	}
	if _, err := a.stdout.Write(text); err != nil {
		return err
	}
	if !ok {
		return exitStatus(statusMiss)
	}
	return nil
}

const (
	statusMiss        = 1
	statusUsage       = 2
	statusError       = 3
	statusInterrupted = 130 // as in a shell
)

// usageError is a mistake of the caller that cobra cannot detect.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitStatus ends cachectl with that status and without a message: for a miss, or
// with the status of the command that exec ran.
type exitStatus int

func (s exitStatus) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// report prints err to stderr and returns the exit status.
func (a *app) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	var ended exitStatus
	if errors.As(err, &ended) {
		return int(ended)
	}
	status := a.status(err)
	message := strings.TrimPrefix(err.Error(), "cache: ") // "cachectl: cache: " names one program twice
	if a.json {
		fields := object{"error": message, "status": status}
		var batch *cache.BatchError
		if errors.As(err, &batch) {
			failed := make(map[string]string, len(batch.Failed))
			for _, f := range batch.Failed {
				failed[f.Key] = f.Err.Error()
			}
			fields["failed"] = failed
		}
		a.stderr.Write(fields.encode())
		return status
	}
	fmt.Fprintln(a.stderr, "cachectl:", message)
	if !a.parsed {
		fmt.Fprintf(a.stderr, "cachectl: run '%s --help' for usage\n", cmd.CommandPath())
	}
	return status
}

func (a *app) status(err error) int {
	var start startError
	if errors.As(err, &start) {
		return start.status()
	}
	var interrupted interruptedError
	if errors.As(err, &interrupted) {
		return statusInterrupted
	}
	var usage usageError
	if errors.As(err, &usage) || !a.parsed {
		return statusUsage
	}
	for _, mistake := range []error{errNoDirectory, cache.ErrInvalidKey, cache.ErrInvalidTimeout} {
		if errors.Is(err, mistake) {
			return statusUsage
		}
	}
	return statusError
}

// warn prints an error that does not keep exec from running its command.
func (a *app) warn(err error) {
	if a.json {
		a.stderr.Write(object{"warning": err.Error()}.encode())
		return
	}
	fmt.Fprintln(a.stderr, "cachectl: warning:", err)
}

// isTerminal reports whether a stream is a terminal; /dev/null is none.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
