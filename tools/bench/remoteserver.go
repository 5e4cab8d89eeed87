package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// missingServer says why there is nothing to measure, and nothing where there is:
// a server whose address is in the environment variable, or one to be started.
func missingServer(variable, program string) string {
	if os.Getenv(variable) != "" {
		return ""
	}
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Sprintf("no address in %s and no %s on the PATH", variable, program)
	}
	return ""
}

// startServer runs a program that listens on a port of loopback, here one that
// was free, and returns when it takes connections.
func startServer(program string, args func(port string) []string) (addr string, stop func(), err error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = free.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	free.Close()
	cmd := exec.Command(program, args(port)...)
	cmd.Dir = os.TempDir()
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	for range 500 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr, stop, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("%s: %w", program, err)
}
