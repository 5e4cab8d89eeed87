//go:build !unix

package main

import (
	"os"
	"syscall"
)

var forwardedSignals = []os.Signal{os.Interrupt}

func ownProcessGroup() *syscall.SysProcAttr { return nil }

// forward kills the command: os.Process supports no other signal on this system.
func forward(p *os.Process, _ os.Signal) { p.Kill() }

func shellStatus(state *os.ProcessState) int { return state.ExitCode() & 255 }
