package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childArgs returns the command line of a child process, which appends a line to
// the file trace and then performs action:
//
//	child TRACE ACTION [ARG...]
func childArgs(trace, action string, args ...string) []string {
	return append([]string{"--", os.Args[0], "child", trace, action}, args...)
}

const (
	childOut = "out\x00\xff\r\n"
	childErr = "err\x01\xfe\n"
)

func child(args []string) int {
	trace, err := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(trace, os.Getpid())
	switch action := args[1]; action {
	case "print": // then exit with a status
		os.Stdout.WriteString(childOut)
		os.Stderr.WriteString(childErr)
		status, _ := strconv.Atoi(args[2])
		return status
	case "shared": // runs until others wait for it
		for waiting := 0; waiting < sharers-1; time.Sleep(5 * time.Millisecond) {
			files, _ := os.ReadDir(os.Getenv("CACHECTL_TEST_WAITING"))
			waiting = len(files)
		}
		fmt.Println(os.Getpid())
		status, _ := strconv.Atoi(args[2])
		return status
	case "large":
		size, _ := strconv.Atoi(args[2])
		io.WriteString(os.Stdout, strings.Repeat("x", size))
	case "env":
		fmt.Print(os.Getenv(args[2]))
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	case "orphan": // the first run ends when its parent has died
		if runs(args[0]) > 1 {
			fmt.Print("second run")
			return 0
		}
		for parent := os.Getppid(); os.Getppid() == parent; {
			time.Sleep(10 * time.Millisecond)
		}
	case "signal": // waits for a signal and prints it
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Fprintln(trace, "ready")
		fmt.Print(<-signals)
	}
	return 0
}

// runs returns the number of lines in the file trace.
func runs(trace string) int {
	data, _ := os.ReadFile(trace)
	return strings.Count(string(data), "\n")
}

func wantRuns(t *testing.T, trace string, want int) {
	t.Helper()
	if got := runs(trace); got != want {
		t.Errorf("the command ran %d times, want %d", got, want)
	}
}

// await polls until happened returns true.
func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
