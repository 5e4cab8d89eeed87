package wire

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
)

// reset is a socket that was reset after it was probed: it accepts no byte.
type reset struct{ net.Conn }

func (reset) Write([]byte) (int, error) { return 0, syscall.ECONNRESET }

// A request that could not be sent at all is sent once more. Its error is Unsent only if
// no attempt was sent.
func TestErrorOfSecondAttempt(t *testing.T) {
	for name, tt := range map[string]struct {
		since    time.Duration
		answer   string // to the second attempt; empty: the connection ends
		refused  bool   // the second attempt finds no server
		want     error
		unsent   bool
		received int32
	}{
		"answered":    {answer: "VA 1\r\n7\r\n", received: 1},
		"lost reply":  {want: io.EOF, received: 1},
		"half reply":  {answer: "VA 1\r\n", want: io.EOF, received: 1},
		"refused":     {refused: true, want: syscall.ECONNREFUSED, unsent: true},
		"reconnected": {since: 1, want: ErrReconnected, unsent: true},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			var received atomic.Int32
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
						received.Add(1)
						io.WriteString(conn, tt.answer)
					}
					conn.Close()
				}
			}()
			n := newTestNode(Config{ReadTimeout: time.Minute, WriteTimeout: time.Minute}, listener.Addr())
			c, err := n.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.socket.Conn, c.dialled = reset{c.socket.Conn}, 0
			n.idle = append(n.idle, c)
			if tt.refused {
				listener.Close()
			}
			err = n.do(t.Context(), NewRequest(OpIncrement, Item{Key: "k", Number: 1, CAS: 1, Since: tt.since}))
			if !errors.Is(err, tt.want) || remote.IsUnsent(err) != tt.unsent || received.Load() != tt.received {
				t.Errorf("%v, unsent %v, received %d times; want %v, %v, %d", err, remote.IsUnsent(err), received.Load(), tt.want, tt.unsent, tt.received)
			}
		})
	}
}
