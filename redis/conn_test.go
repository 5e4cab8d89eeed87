package redis

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// The stream is followed however it is cut, and a value is never taken for a length.
func TestGuardPasses(t *testing.T) {
	stream := "+OK\r\n-ERR a text that is longer than any length could be\r\n:12\r\n$-1\r\n$0\r\n\r\n_\r\n" +
		"$20\r\n$99999999999999999\r\n\r\n*2\r\n$3\r\n*9\n\r\n$1\r\nx\r\n%1\r\n+k\r\n=8\r\ntxt:$999\r\n>1\r\n+x\r\n$5\r\nabc\r\n\r\n:1\r\n"
	for size := 1; size <= len(stream); size++ {
		g := &guarded{}
		for rest := stream; rest != ""; {
			n := min(size, len(rest))
			if !g.sane([]byte(rest[:n])) {
				t.Fatalf("in pieces of %d: refused before %q", size, rest[n:])
			}
			rest = rest[n:]
		}
		if g.skip != 0 || g.n != 0 {
			t.Fatalf("in pieces of %d: out of step, skipping %d after %d", size, g.skip, g.n)
		}
	}
}

func TestGuardRefuses(t *testing.T) {
	for _, line := range []string{
		"$" + strconv.Itoa(maxValue+1), "$99999999999999999999999999", "=" + strconv.Itoa(maxValue+1), "*1048577", "%99999999999", ">1048577",
	} {
		here, there := net.Pipe()
		go func() {
			io.WriteString(there, "+OK\r\n"+line+"\r\n")
			there.Close()
		}()
		g := guard(here)
		for range 2 { // the driver asks again
			if _, err := g.Read(make([]byte, 100)); !errors.Is(err, errAbsurdLength) {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add("+OK\r\n$3\r\nabc\r\n", 2)
	f.Add(strings.Repeat("*1\r\n", 9)+"$9", 3)
	f.Fuzz(func(t *testing.T, stream string, size int) {
		whole := (&guarded{}).sane([]byte(stream))
		size = max(1, min(size, 100))
		g, pieces := &guarded{}, true
		for rest := stream; rest != "" && pieces; {
			n := min(size, len(rest))
			pieces = g.sane([]byte(rest[:n]))
			rest = rest[n:]
		}
		if whole != pieces {
			t.Errorf("at once %v, in pieces of %d %v", whole, size, pieces)
		}
	})
}
