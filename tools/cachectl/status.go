package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	cache "github.com/cachebackends/cachebackends/core"
)

const (
	statusMiss  = 1
	statusUsage = 2
	statusFault = 3
)

// errMiss ends a command with statusMiss and without a word.
var errMiss = errors.New("miss")

// usageError is a mistake of the caller that only the command could see.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitStatus ends exec with the status of its command.
type exitStatus int

func (s exitStatus) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// report tells what went wrong and returns the exit status.
func (a *app) report(err error) int {
	if err == nil {
		return 0
	}
	var ended exitStatus
	if errors.As(err, &ended) {
		return int(ended)
	}
	if errors.Is(err, errMiss) {
		return statusMiss
	}
	status := a.status(err)
	message := strings.TrimPrefix(err.Error(), "cache: ") // two names for one program
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
	if !a.started {
		fmt.Fprintln(a.stderr, "cachectl: --help tells the commands and flags")
	}
	return status
}

func (a *app) status(err error) int {
	var start startError
	if errors.As(err, &start) {
		return start.status()
	}
	var usage usageError
	if errors.As(err, &usage) || !a.started || errors.Is(err, cache.ErrInvalidKey) || errors.Is(err, cache.ErrInvalidTimeout) {
		return statusUsage
	}
	return statusFault
}
