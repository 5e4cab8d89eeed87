package redis

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

func bulk(value string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(value), value) }

func TestGetAppend(t *testing.T) {
	large := strings.Repeat("0123456789", 20_000)
	for name, tt := range map[string]struct {
		reply string
		want  string
		ok    bool
		err   error
	}{
		"value":        {bulk("value"), "value", true, nil},
		"empty":        {bulk(""), "", true, nil},
		"line ends":    {bulk("\r\n\r\n"), "\r\n\r\n", true, nil},
		"large":        {bulk(large), large, true, nil},
		"miss":         {"$-1\r\n", "", false, nil},
		"miss, RESP3":  {"_\r\n", "", false, nil},
		"another type": {"-WRONGTYPE Operation against a key\r\n", "", false, cache.ErrCorrupt},
		"loading":      {loading, "", false, cache.ErrUnavailable},
		"number":       {":1\r\n", "", false, cache.ErrUnavailable},
		"status":       {"+OK\r\n", "", false, cache.ErrUnavailable},
		"list":         {"*2\r\n$1\r\na\r\n$1\r\nb\r\n", "", false, cache.ErrUnavailable},
		"list of one":  {"*1\r\n$1\r\na\r\n", "", false, cache.ErrUnavailable},
		"attribute":    {"|1\r\n+a\r\n+b\r\n$1\r\nv\r\n", "v", true, nil},
		"short":        {partial + "$10\r\nvalue", "", false, cache.ErrUnavailable},
		"bad end":      {"$1\r\nvxx", "", false, cache.ErrUnavailable},
	} {
		f := startFake(t, on("get", always(tt.reply)))
		for _, shared := range []int{0, -1} {
			b := start(t, Options{Addr: f.addr})
			b.pipeline.MaxAlone = shared
			for _, spare := range []int{0, 1, len(tt.want), len(tt.want) + 1, len(tt.want) + 2, len(tt.want) + 3, 1 << 20} {
				dst := append(make([]byte, 0, len("before")+spare), "before"...)
				got, ok, err := b.GetAppend(t.Context(), "k", dst)
				if ok != tt.ok || !errors.Is(err, tt.err) || string(got) != "before"+tt.want {
					t.Errorf("%s: %d bytes, %v, %v; want %d, %v, %v", name, len(got), ok, err, len("before"+tt.want), tt.ok, tt.err)
				}
				if spare >= len(tt.want) && &got[0] != &dst[0] {
					t.Errorf("%s: %d spare bytes were not used", name, spare)
				}
			}
		}
	}
}

// A lost reply is read again, from its beginning.
func TestGetAppendIsRepeated(t *testing.T) {
	f := startFake(t, on("get", func(n int) string {
		if n == 1 {
			return partial + "$10\r\nhalf"
		}
		return bulk("value")
	}))
	got, ok, err := start(t, Options{Addr: f.addr}).GetAppend(t.Context(), "k", []byte("a "))
	if string(got) != "a value" || !ok || err != nil {
		t.Errorf("%q, %v, %v", got, ok, err)
	}
}

// A caller that leaves a shared round trip may use its memory at once.
func TestGetAppendDoesNotKeepMemory(t *testing.T) {
	release := make(chan struct{})
	f := startFake(t, on("get", func(int) string { <-release; return bulk("value") }))
	b := sharing(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		waitFor(t, "the command", func() bool { return f.count("get") == 1 })
		cancel()
	}()
	dst := make([]byte, 0, 100)
	if _, ok, err := b.GetAppend(ctx, "k", dst); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", ok, err)
	}
	close(release)
	waitFor(t, "the reply", func() bool { _, batches := b.pipeline.Load(); return batches == 0 })
	if !bytes.Equal(dst[:cap(dst)], make([]byte, cap(dst))) {
		t.Errorf("%q was written", dst[:cap(dst)])
	}
}

// The client of a cluster follows a redirection only of a command whose reply it reads.
func TestGetAppendFollowsRedirections(t *testing.T) {
	var nodes [2]*fake
	for i := range nodes {
		nodes[i] = startFake(t, func(n int, args []string) string {
			if args[0] != "get" {
				return healthy(func() string { return nodes[0].addr })(n, args)
			}
			if i == 0 {
				return "-MOVED 1 " + nodes[1].addr + "\r\n"
			}
			return bulk("value")
		})
	}
	b := start(t, Options{Cluster: []string{nodes[0].addr}})
	got, ok, err := b.GetAppend(t.Context(), "k", []byte("a "))
	if string(got) != "a value" || !ok || err != nil {
		t.Errorf("%q, %v, %v", got, ok, err)
	}
}

// Neither reading a large value into a buffer nor storing one copies it.
func TestLargeValuesAreNotCopied(t *testing.T) {
	const size, calls = 4 << 20, 10
	b := start(t, Options{Addr: startFrugal(t, []byte(bulk(strings.Repeat("v", size))))})
	buffer, large := make([]byte, 0, size+2), make([]byte, size)
	for name, call := range map[string]func() error{
		"GetAppend": func() error {
			got, _, err := b.GetAppend(t.Context(), "k", buffer)
			if len(got) != size {
				return fmt.Errorf("%d bytes, %w", len(got), err)
			}
			return err
		},
		"Set": func() error { return b.Set(t.Context(), "k", large, 0) },
	} {
		if err := call(); err != nil { // opens the connection
			t.Fatal(name, err)
		}
		before := allocated()
		for range calls {
			if err := call(); err != nil {
				t.Error(name, err)
			}
		}
		if bytes := allocated() - before; bytes > calls*size/8 {
			t.Errorf("%s: %d bytes allocated for each call", name, bytes/calls)
		}
	}
}

// startFrugal starts a server that replies to GET and allocates no memory for values.
func startFrugal(t *testing.T, value []byte) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	ok, no := []byte("+OK\r\n"), []byte("-ERR unknown command\r\n")
	serve := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for {
			n, err := readLength(in, '*')
			name := make([]byte, 0, 10)
			for i := 0; i < n && err == nil; i++ {
				size, _ := readLength(in, '$')
				if i == 0 {
					name, _ = in.Peek(size)
					name = bytes.Clone(name)
				}
				_, err = in.Discard(size + len("\r\n"))
			}
			switch string(name) {
			case "get":
				conn.Write(value)
			case "hello":
				conn.Write(no)
			default:
				conn.Write(ok)
			}
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().String()
}
