package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// passAll passes stream in pieces of size bytes.
func passAll(c *replyCheck, stream string, size int) error {
	for stream != "" {
		n := min(size, len(stream))
		if err := c.pass([]byte(stream[:n])); err != nil {
			return err
		}
		stream = stream[n:]
	}
	return nil
}

// The guard follows a stream in pieces of any size and never takes a value for a length.
func TestGuardPasses(t *testing.T) {
	for name, stream := range map[string]string{
		"simple":        "+OK\r\n-ERR a text that is longer than any length could be\r\n:12\r\n:-1\r\n_\r\n#t\r\n,1.5\r\n(99999999999999999999999\r\n",
		"strings":       "$-1\r\n$0\r\n\r\n$20\r\n$99999999999999999\r\n\r\n=8\r\ntxt:$999\r\n!5\r\nERR x\r\n$5\r\nabc\r\n\r\n",
		"lists":         "*2\r\n$3\r\n*9\n\r\n$1\r\nx\r\n*0\r\n*-1\r\n~1\r\n:1\r\n*1\r\n*1\r\n*0\r\n:1\r\n",
		"maps":          "%1\r\n+k\r\n_\r\n%2\r\n$1\r\nk\r\n*1\r\n%0\r\n:2\r\n$-1\r\n%0\r\n",
		"misses":        "*3\r\n$-1\r\n_\r\n*-1\r\n",
		"transaction":   "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$-1\r\n-ERR value is not an integer\r\n",
		"notifications": ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n>0\r\n:1\r\n",
		"attributes":    "|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n|0\r\n:1\r\n|1\r\n+a\r\n*1\r\n:1\r\n*1\r\n:1\r\n",
		"many lists":    strings.Repeat("*1000\r\n"+strings.Repeat(":1\r\n", 1000), 20),
		"deepest":       strings.Repeat("*1\r\n", maxDepth) + ":1\r\n",
	} {
		for size := 1; size <= len(stream); size += 1 + size/20 {
			c := replyCheck{limits: afterLogin, later: afterLogin}
			if err := passAll(&c, stream, size); err != nil {
				t.Fatalf("%s, in pieces of %d: %v", name, size, err)
			}
			if c.depth != 0 || c.body != 0 || c.n != 0 || c.elements != 0 || c.push || c.attribute {
				t.Fatalf("%s, in pieces of %d: out of step: %+v", name, size, c)
			}
		}
	}
}

// malformed holds beginnings of replies that no server sends, and their errors.
var malformed = map[string]error{
	"$" + strconv.Itoa(maxValue+1) + "\r\n":    errLength,
	"$99999999999999999999999999\r\n":          errLength,
	"$00000000000000536870912" + "0000000\r\n": errLength, // leading zeros beyond what is kept of a line
	"$05\r\n":                               errLength,
	"$+5\r\n":                               errLength,
	"$-7\r\n":                               errLength,
	"$-0\r\n":                               errLength,
	"$?\r\n":                                errLength,
	"$\r\n":                                 errLength,
	"$5 \r\n":                               errLength,
	"%-1\r\n":                               errLength,
	"=" + strconv.Itoa(maxValue+1) + "\r\n": errLength,
	"*1048577\r\n":                          errLength,
	"%524289\r\n":                           errLength,
	">1048577\r\n":                          errLength,
	"%99999999999\r\n":                      errLength,
	"*1048576\r\n*1048576\r\n":              errLength,
	strings.Repeat("*2\r\n*600000\r\n", 2):  errLength,
	strings.Repeat("*1\r\n", maxDepth+1):    errDepth,
	strings.Repeat("%1\r\n+k\r\n", maxDepth+1): errDepth,
	strings.Repeat("|0\r\n", 2):                errMisplaced,
	"*1\r\n|0\r\n":                             errMisplaced,
	"*1\r\n>0\r\n":                             errMisplaced,
	"%1\r\n-ERR as a key\r\n":                  errMisplaced,
	"%1\r\n+k\r\n-ERR as a value\r\n":          errMisplaced,
	"%1\r\n_\r\n":                              errMisplaced,
	"%1\r\n$-1\r\n":                            errMisplaced,
	"*1\r\n*1\r\n-ERR deeper than in any transaction\r\n": errMisplaced,
	"+" + strings.Repeat("x", 70<<10):                     errLongLine,
	"\r\n":                                                errNoEnd,
	"\n":                                                  errNoEnd,
	"+OK\n":                                               errNoEnd,
	"$1\r\nvalue\r\n":                                     errNoEnd,
	"$1\r\nv\rx":                                          errNoEnd,
	"?5\r\n":                                              errUnknownType,
	"HTTP/1.1 400 Bad Request\r\n":                        errUnknownType,
}

func TestGuardRefuses(t *testing.T) {
	for stream, want := range malformed {
		for _, size := range []int{1, 7, len(stream)} {
			c := replyCheck{limits: afterLogin, later: afterLogin}
			if err := passAll(&c, "+OK\r\n"+stream, size); !errors.Is(err, want) || !errors.Is(err, errMalformed) {
				t.Errorf("%.40q in pieces of %d: %v; want %v", stream, size, err, want)
			}
		}
	}
}

func TestGuardBeforeLogin(t *testing.T) {
	for stream, want := range map[string]error{
		"$100000\r\n":                   errLength,
		"*5000\r\n":                     errLength,
		"*1\r\n-ERR\r\n":                errMisplaced,
		">1\r\n:1\r\n" + "$100000\r\n":  errLength, // a notification is no reply
		"|1\r\n+a\r\n:1\r\n$100000\r\n": errLength,
		":1\r\n$100000\r\n":             nil,
		"-ERR\r\n*5000\r\n":             nil,
	} {
		c := replyCheck{limits: beforeLogin, later: afterLogin}
		if err := c.pass([]byte(stream)); !errors.Is(err, want) {
			t.Errorf("%q: %v; want %v", stream, err, want)
		}
	}
}

// The driver reads again after an error and must not get the next bytes.
func TestGuardStaysRefused(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		io.WriteString(there, "$05\r\n")
		io.WriteString(there, "+OK\r\n")
	}()
	g := guard(here)
	for range 2 {
		if n, err := g.Read(make([]byte, 100)); n != 0 || !errors.Is(err, errMalformed) {
			t.Errorf("read %d bytes, %v", n, err)
		}
	}
}

// Nothing that a server sends, before or after login, ends the process or allocates much
// more memory than was sent.
func TestMalformedReplies(t *testing.T) {
	streams := map[string]string{
		"leading zeros":        "$00000000000000536870912" + "0000000\r\n",
		"lists in lists":       strings.Repeat("*1\r\n", 100_000),
		"attributes":           strings.Repeat("|0\r\n", 100_000),
		"long lists in a list": strings.Repeat("*1048576\r\n", 100),
		"long maps in a list":  "*100\r\n" + strings.Repeat("%1000000\r\n", 100),
		"number for a list":    ":1048576000\r\n",
		"status for a list":    "+1048576000\r\n",
		"long line":            "+" + strings.Repeat("x", 64<<20),
		"string in HELLO":      "%1\r\n$536870912\r\n",
	}
	for name, stream := range streams {
		for when, command := range map[string]string{"before login": "hello", "after login": "*"} {
			for topology, o := range map[string]func(addr string) Options{
				"one server": func(addr string) Options { return Options{Addr: addr} },
				"cluster":    func(addr string) Options { return Options{Cluster: []string{addr}} },
				"sentinels":  func(addr string) Options { return Options{Sentinels: []string{addr}} },
			} {
				if name == "string in HELLO" && command != "hello" {
					continue // a value of 512 MiB is legitimate
				}
				t.Run(name+"/"+when+"/"+topology, func(t *testing.T) {
					f := startFake(t, func(_ int, args []string) string {
						if args[0] == command || command == "*" && args[0] != "hello" && args[0] != "ping" {
							return partial + stream
						}
						return ""
					})
					b := start(t, o(f.addr))
					before := allocated()
					ctx := soon(t, ample)
					_, err := b.GetMany(ctx, []string{"k"})
					if err == nil || ctx.Err() != nil {
						t.Errorf("GetMany: %v; want an error at once", err)
					}
					// The fake copies the stream, too.
					if n := allocated() - before; n > 32<<20+4*uint64(len(stream)) {
						t.Errorf("GetMany took %d bytes", n)
					}
				})
			}
		}
	}
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// panicking is an argument whose encoding panics.
type panicking struct{}

func (panicking) MarshalBinary() ([]byte, error) { panic("no") }

// A panic on the goroutine of the pipeline becomes the error of its callers.
func TestPanicInPipeline(t *testing.T) {
	f := startFake(t, on("get", always("$1\r\nv\r\n")))
	b := sharing(t, f)
	if err := b.pipeline.Do(t.Context(), goredis.NewStringCmd(t.Context(), "get", panicking{})); err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("%v; want the panic as an error", err)
	}
	if err := b.pipeline.Do(t.Context(), goredis.NewStringCmd(t.Context(), "get", "k")); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func FuzzGuard(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream string, size int) {
		whole := replyCheck{limits: afterLogin, later: afterLogin}
		atOnce := passAll(&whole, stream, len(stream)+1)
		pieces := replyCheck{limits: afterLogin, later: afterLogin}
		inPieces := passAll(&pieces, stream, max(1, min(size, 100)))
		if fmt.Sprint(atOnce) != fmt.Sprint(inPieces) {
			t.Errorf("at once %v, in pieces of %d %v", atOnce, size, inPieces)
		}
		if atOnce == nil {
			for _, c := range []*replyCheck{&whole, &pieces} { // what is left of old lines may differ
				clear(c.line[min(c.n, len(c.line)):])
				if c.n == 0 {
					c.last = 0
				}
			}
			if whole != pieces {
				t.Errorf("at once %+v, in pieces %+v", whole, pieces)
			}
		}
	})
}

// replay is a connection on which a stream arrives in pieces.
type replay struct {
	net.Conn
	rest string
	size int
}

func (r *replay) Read(p []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.size)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (*replay) Write(p []byte) (int, error)      { return len(p), nil }
func (*replay) Close() error                     { return nil }
func (*replay) SetDeadline(time.Time) error      { return nil }
func (*replay) SetReadDeadline(time.Time) error  { return nil }
func (*replay) SetWriteDeadline(time.Time) error { return nil }
func (*replay) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// Behind the guard, the driver reads any stream without a panic and within the memory that
// the guard allows.
func FuzzGuardAndDriver(f *testing.F) {
	const room = 1 << 20 // for a string
	f.Fuzz(func(t *testing.T, stream string, size int, call uint8) {
		dial := func(context.Context, string, string) (net.Conn, error) {
			conn := &replay{rest: stream, size: max(1, min(size, 4<<10))}
			limits := afterLogin
			limits.bytes, limits.elements = room, 1<<10
			return &guarded{Conn: conn, check: replyCheck{limits: limits, later: limits}}, nil
		}
		var client goredis.UniversalClient
		if call%16 < 8 {
			client = goredis.NewClient(&goredis.Options{Dialer: dial, MaxRetries: -1, DialerRetries: 1, PipelinePoolSize: -1, PoolSize: 1, ReadBufferSize: 4 << 10})
		} else {
			client = goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, Dialer: dial, MaxRedirects: -1, MaxRetries: -1, DialerRetries: 1, PoolSize: 1, ReadBufferSize: 4 << 10})
		}
		defer client.Close()
		b, err := NewFromClient(client, Options{})
		if err != nil {
			t.Fatal(err)
		}
		before := allocated()
		for range 2 { // the second call may use the same connection
			_ = verbs[int(call)%8].call(t.Context(), b)
		}
		if n := allocated() - before; n > 16*room {
			t.Errorf("%d bytes were taken", n)
		}
	})
}
