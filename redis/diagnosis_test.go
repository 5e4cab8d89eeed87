package redis

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// startRaw serves every connection with serve, and returns the address.
func startRaw(t *testing.T, serve func(conn net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// refuse sends a line and closes the connection. It reads a command before, because a
// reset could overtake the line.
func refuse(line string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, line)
		conn.Read(make([]byte, 1000))
	}
}

// What a server says before it closes the connection is in the error, with what to do.
func TestReasonOfRefusal(t *testing.T) {
	for name, tt := range map[string]struct {
		serve func(net.Conn)
		tls   *tls.Config
		kind  error
		texts []string
	}{
		"protected mode":      {refuse("-DENIED Redis is running in protected mode because protected mode is enabled\r\n"), nil, cache.ErrAuth, []string{"DENIED", "has a password"}},
		"too many clients":    {refuse("-ERR max number of clients reached\r\n"), nil, cache.ErrUnavailable, []string{"max number", "maxclients", "pool_size"}},
		"another reason":      {refuse("-ERR come back tomorrow\r\n"), nil, cache.ErrUnavailable, []string{"come back tomorrow"}},
		"no reason":           {func(net.Conn) {}, nil, cache.ErrUnavailable, []string{"TLS", "balancer"}},
		"TLS alert":           {refuse("\x15\x03\x03\x00\x02\x02\x46"), nil, cache.ErrUnavailable, []string{"requires TLS", "rediss://"}},
		"no TLS":              {refuse("-ERR unknown command\r\n"), new(tls.Config), cache.ErrUnavailable, []string{"does not use TLS", "redis://"}},
		"no TLS and no reply": {func(net.Conn) {}, new(tls.Config), cache.ErrUnavailable, []string{"may not use TLS", "too many clients"}},
		"silence with TLS":    {func(conn net.Conn) { io.Copy(io.Discard, conn) }, new(tls.Config), cache.ErrUnavailable, []string{"may not use TLS"}},
	} {
		t.Run(name, func(t *testing.T) {
			addr := startRaw(t, tt.serve)
			for topology, o := range map[string]Options{
				"one server": {Addr: addr}, "cluster": {Cluster: []string{addr}}, "sentinels": {Sentinels: []string{addr}},
			} {
				o.AllowFlush, o.TLS, o.DialTimeout = true, tt.tls, ample
				if name == "silence with TLS" {
					if topology == "sentinels" {
						continue // the driver gives up at the same moment, without the reason
					}
					withTimeouts(t, func(timeout time.Duration) error { // within which a busy machine connects
						o.DialTimeout = timeout
						err := start(t, o).Ping(t.Context())
						if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.texts[0]) {
							return fmt.Errorf("%s: %w; want %q", topology, err, tt.texts[0])
						}
						return nil
					})
					continue
				}
				b := start(t, o)
				for _, v := range verbs {
					err := v.call(t.Context(), b)
					if !errors.Is(err, tt.kind) || errors.Is(err, cache.ErrUnknownOutcome) {
						t.Errorf("%s, %s: %v; want %v", topology, v.name, err, tt.kind)
						continue
					}
					for _, text := range tt.texts {
						if !strings.Contains(err.Error(), text) {
							t.Errorf("%s, %s: %v; want %q in it", topology, v.name, err, text)
						}
					}
				}
			}
		})
	}
}

// The error of a server without HELLO is not taken for a refusal later.
func TestErrorAfterHelloIsUnsupported(t *testing.T) {
	f := startFake(t, on("get", always(hangUp)))
	_, _, err := start(t, Options{Addr: f.addr}).Get(t.Context(), "k")
	if !errors.Is(err, io.EOF) || strings.Contains(err.Error(), "HELLO") {
		t.Errorf("got %v; want EOF", err)
	}
}

// A node of a cluster that is used as one server would clear a part of the entries.
func TestNodeAsServer(t *testing.T) {
	for name, hello := range map[string]string{
		"RESP3": "%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n$7\r\ncluster\r\n",
		"RESP2": "*4\r\n$5\r\nproto\r\n:2\r\n$4\r\nmode\r\n$7\r\ncluster\r\n",
	} {
		f := startFake(t, func(_ int, args []string) string {
			switch {
			case args[0] == "hello" && (len(args) == 1 || name == "RESP3"):
				return hello
			case args[0] == "hello":
				return "" // an error
			case args[0] == "mget":
				return "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
			case args[0] == "ping":
				return ""
			}
			return "-MOVED 1 127.0.0.1:1\r\n"
		})
		b := start(t, Options{Addr: f.addr, AllowFlush: true})
		for _, v := range verbs {
			err, want := v.call(t.Context(), b), cache.ErrUnavailable
			switch v.name {
			case "Ping":
				continue
			case "Clear", "ClearPrefix":
				want = errors.ErrUnsupported
			}
			if !errors.Is(err, want) || !strings.Contains(err.Error(), "CACHE_REDIS_CLUSTER") {
				t.Errorf("%s, %s: %v; want %v and the setting", name, v.name, err, want)
			}
		}
		if n := f.count("flushdb") + f.count("scan"); n != 0 {
			t.Errorf("%s: %d commands of Clear", name, n)
		}
	}
}

// A proxy reports the failure of its own connection as a reply. The server may have
// executed the command, unless the proxy had no connection.
func TestRepliesOfProxies(t *testing.T) {
	for text, unknown := range map[string]bool{
		"no upstream host":             false,
		"ERR Connection refused":       false,
		"upstream failure":             true,
		"ERR Connection timed out":     true,
		"ERR Connection reset by peer": true,
	} {
		for _, v := range verbs {
			if v.name == "Ping" {
				continue
			}
			f := startFake(t, on(v.command, always("-"+text+"\r\n")))
			want, never := cache.ErrUnavailable, cache.ErrUnknownOutcome
			if unknown && v.write {
				want, never = never, want
			}
			err := v.call(t.Context(), start(t, Options{Addr: f.addr, AllowFlush: true}))
			if !errors.Is(err, want) || errors.Is(err, never) || !strings.Contains(err.Error(), "proxy") {
				t.Errorf("%s, %s: %v; want %v", text, v.name, err, want)
			}
			if n := f.count(v.command); n != 1 {
				t.Errorf("%s, %s: sent %d times", text, v.name, n)
			}
			if n := f.count("multi"); n != 0 {
				t.Errorf("%s, %s: counted by another method", text, v.name)
			}
		}
	}
}

// The driver prints nothing to standard error. What it has to say goes to slog.
func TestDriverLog(t *testing.T) {
	if os.Getenv("CACHE_TEST_DRIVER_LOG") != "" {
		start(t, Options{Sentinels: []string{"127.0.0.1:1"}}).Ping(t.Context())
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestDriverLog$")
	child.Env = append(os.Environ(), "CACHE_TEST_DRIVER_LOG=1")
	var printed bytes.Buffer
	child.Stderr = &printed
	if err := child.Run(); err != nil || printed.Len() > 0 {
		t.Errorf("%v, printed: %s", err, &printed)
	}
	before := slog.Default()
	defer slog.SetDefault(before)
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	start(t, Options{Sentinels: []string{"127.0.0.1:1"}}).Ping(t.Context())
	if !strings.Contains(log.String(), "level=DEBUG") || !strings.Contains(log.String(), "connection refused") {
		t.Errorf("slog received: %s", &log)
	}
}
