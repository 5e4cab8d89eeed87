//go:build !unix

package main

import (
	"os"
	"syscall"
)

var forwarded = []os.Signal{os.Interrupt}

func ownGroup() *syscall.SysProcAttr { return nil }

// forward ends the command: nothing else can be sent here.
func forward(p *os.Process, _ os.Signal) { p.Kill() }

func shellStatus(state *os.ProcessState) int { return state.ExitCode() & 255 }
