package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/cachebackends/cachebackends/uwsgi"
)

// startUwsgi returns the address of the server that BENCH_UWSGI names, or of one
// of our own. stop leaves nothing behind, on a server of somebody else neither.
func startUwsgi() (addr string, stop func(), err error) {
	if addr := os.Getenv("BENCH_UWSGI"); addr != "" {
		return addr, func() { forgetUwsgi(addr) }, nil
	}
	return startUwsgiAt("")
}

// startUwsgiUnix is startUwsgi on a unix socket, or that of BENCH_UWSGI_UNIX.
func startUwsgiUnix() (addr string, stop func(), err error) {
	if addr := os.Getenv("BENCH_UWSGI_UNIX"); addr != "" {
		return addr, func() { forgetUwsgi(addr) }, nil
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", nil, err
	}
	socket := filepath.Join(dir, "uwsgi.sock")
	_, end, err := startUwsgiAt(socket)
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	return socket, func() { end(); os.RemoveAll(dir) }, nil
}

// startUwsgiAt also listens on a unix socket, if one is named.
func startUwsgiAt(socket string) (addr string, stop func(), err error) {
	return startServer("uwsgi", func(port string) []string {
		args := []string{"--plugins", "cache", "--socket", "127.0.0.1:" + port, "--cache2", "name=bench,items=10000",
			"--master", "--no-orphans", "--workers", "2", "--threads", "4", "--disable-logging", "--logto", os.DevNull}
		if socket != "" {
			args = append(args, "--socket", socket)
		}
		return args
	})
}

func forgetUwsgi(addr string) {
	b, err := uwsgi.New(context.Background(), uwsgi.Options{Addr: addr})
	if err == nil {
		b.DeleteMany(context.Background(), makeKeys(0, mostKeys))
	}
}

func dialUwsgi(addr string) (net.Conn, error) {
	if strings.HasPrefix(addr, "/") {
		return net.Dial("unix", addr)
	}
	return net.Dial("tcp", addr)
}
