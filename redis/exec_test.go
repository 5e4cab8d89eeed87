package redis

import (
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

const readOnly = "-READONLY You can't write against a read only replica.\r\n"

// The connection to a server that has become a replica is closed, whichever command of a
// pipeline it refuses, with a client of our own or of the application.
func TestReplicaInPipeline(t *testing.T) {
	for name, tt := range map[string]struct {
		replies []string // to commands "c0", "c1" and so on
		conns   int      // connections that were opened in the end
	}{
		"none":                 {[]string{":1\r\n", ":2\r\n", ":3\r\n"}, 1},
		"first":                {[]string{readOnly, ":2\r\n", ":3\r\n"}, 2},
		"second":               {[]string{":1\r\n", readOnly, ":3\r\n"}, 2},
		"last":                 {[]string{":1\r\n", ":2\r\n", readOnly}, 2},
		"last, after a miss":   {[]string{"$-1\r\n", readOnly}, 2},
		"last, after an error": {[]string{"-ERR no\r\n", ":1\r\n", readOnly}, 2},
		"other errors":         {[]string{":1\r\n", "-OOM full\r\n", "-ERR no\r\n"}, 1},
		"moved":                {[]string{":1\r\n", "-MOVED 1 127.0.0.1:1\r\n"}, 1}, // to another address, which the driver only reports
	} {
		for client, retries := range map[string]int{"own": -1, "borrowed": 3} {
			t.Run(name+"/"+client, func(t *testing.T) {
				f := startFake(t, func(_ int, args []string) string {
					if len(args[0]) == 2 && args[0][0] == 'c' {
						return tt.replies[args[0][1]-'0']
					}
					return ""
				})
				c := goredis.NewClient(&goredis.Options{Addr: f.addr, MaxRetries: retries, MinRetryBackoff: -1, PipelinePoolSize: -1})
				defer c.Close()
				b, err := NewFromClient(c, Options{})
				if err != nil {
					t.Fatal(err)
				}
				cmds := make([]goredis.Cmder, len(tt.replies))
				for i := range cmds {
					cmds[i] = once(goredis.NewIntCmd(t.Context(), "c"+string(rune('0'+i))))
				}
				_ = b.exec(t.Context(), c, cmds)
				for i, cmd := range cmds {
					got := ":" + cmd.(*singleAttempt).Cmder.String()[len("c0: "):] + "\r\n"
					if err := cmd.Err(); err == goredis.Nil {
						got = "$-1\r\n"
					} else if err != nil {
						got = "-" + err.Error() + "\r\n"
					}
					if got != tt.replies[i] {
						t.Errorf("command %d got %q; want %q", i, got, tt.replies[i])
					}
				}
				if err := b.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := f.count("conns"); n != tt.conns {
					t.Errorf("%d connections; want %d", n, tt.conns)
				}
			})
		}
	}
}
