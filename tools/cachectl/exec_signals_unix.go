//go:build unix

package main

import (
	"os"
	"syscall"
)

var forwardedSignals = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
}

// ownProcessGroup keeps the signals of the terminal from the command, which would
// otherwise receive each signal twice: from the terminal and from forward.
func ownProcessGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// forward sends sig to the command and its children, as a terminal does.
func forward(p *os.Process, sig os.Signal) {
	syscall.Kill(-p.Pid, sig.(syscall.Signal))
}

// shellStatus returns the exit status as a shell does: 128+n after signal n.
func shellStatus(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
